// The emulator behind a terminal's output: what runs elsewhere, and what the screen then is.
#include "actors/screen_tracker.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/simulated_server.hpp"

using namespace berth;
using actors::screen_tracker;
using berth::testing::simulated_server;

namespace {

// "Paints" its size and a digest of all it was fed.
class counting_screen : public screen {
 public:
  counting_screen(std::uint16_t cols, std::uint16_t rows) { resize(cols, rows); }
  void feed(std::string_view output) override {
    for (const char c : output) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211;
    fed_ += output.size();
  }
  void resize(std::uint16_t cols, std::uint16_t rows) override {
    size_ = std::to_string(cols) + "x" + std::to_string(rows);
  }
  std::string snapshot() const override {
    return size_ + " " + std::to_string(fed_) + " " + std::to_string(digest_);
  }

 private:
  std::string size_;
  std::uint64_t fed_{}, digest_{14695981039346656037ULL};
};

struct tracked_world {
  simulated_server server{1};
  terminal_id id{"term_1"};
  kernel_options options{
      server.journal,
      server.host,
      server.bulk,
      server.clock,
      [](auto cols, auto rows) { return std::make_unique<counting_screen>(cols, rows); },
      {},
      {}};
  std::vector<std::pair<std::function<void()>, std::function<void()>>> elsewhere;
  int progressed = 0;
  std::uint64_t end = 0;
  std::string printed;

  screen_tracker make(bool has_elsewhere) {
    screen_tracker::work_later later;
    if (has_elsewhere)
      later = [this](auto work, auto done) {
        elsewhere.emplace_back(std::move(work), std::move(done));
      };
    return {id, options, 80, 24, std::move(later), [this] { ++progressed; }};
  }
  void print(screen_tracker& to, std::size_t bytes) {
    std::string some;
    for (std::size_t i = 0; i < bytes; ++i)
      some += (end + i) % 50 == 49 ? '\n' : static_cast<char>('a' + (end + i) % 23);
    REQUIRE(server.bulk.append(id, end, share(some), server.clock.now()) == end + bytes);
    server.bulk.sync();
    printed += some;
    end += bytes;
    to.grew(end);
  }
  void run_elsewhere() {
    while (!elsewhere.empty()) {
      auto [work, done] = std::move(elsewhere.front());
      elsewhere.erase(elsewhere.begin());
      work();
      done();
    }
  }
  std::string wanted(std::string_view of) {
    counting_screen one{80, 24};
    one.feed(of);
    return one.snapshot();
  }
};

}  // namespace

TEST_CASE("screen tracker: without an elsewhere it is caught up piece by piece", "[actors]") {
  tracked_world world;
  auto tracker = world.make(false);
  world.print(tracker, 600'000);
  int pieces = 1;
  while (tracker.catch_up(world.end) == screen_tracker::state::behind) ++pieces;
  CHECK(pieces == 3);
  CHECK(tracker.at() == world.end);
  CHECK(tracker.snapshot() == world.wanted(world.printed));
}

TEST_CASE("screen tracker: little output costs no emulator, much is followed before anybody asks",
          "[actors]") {
  tracked_world world;
  auto tracker = world.make(true);
  world.print(tracker, screen_tracker::behind_bytes_max);
  CHECK(world.elsewhere.empty());
  world.print(tracker, 3 << 20);
  CHECK(world.elsewhere.size() == 1);
  CHECK(tracker.catch_up(world.end) == screen_tracker::state::working);
  world.run_elsewhere();
  CHECK(world.progressed >= 3);
  // What is left is little, and read when a screen is asked for.
  while (tracker.catch_up(world.end) == screen_tracker::state::working) world.run_elsewhere();
  CHECK(tracker.catch_up(world.end) == screen_tracker::state::at_end);
  CHECK(tracker.snapshot() == world.wanted(world.printed));
}

TEST_CASE("screen tracker: a resize while it is elsewhere counts when it is back", "[actors]") {
  tracked_world world;
  auto tracker = world.make(true);
  world.print(tracker, 1 << 20);
  tracker.resized(100, 30);
  world.run_elsewhere();
  REQUIRE(tracker.catch_up(world.end) == screen_tracker::state::at_end);
  CHECK(tracker.snapshot().starts_with("100x30 "));
}

TEST_CASE("screen tracker: of a flood only the last part is emulated, from a whole line on",
          "[actors]") {
  tracked_world world;
  auto tracker = world.make(true);
  for (int i = 0; i < 9; ++i) world.print(tracker, 4 << 20);
  world.elsewhere.resize(1);
  world.run_elsewhere();  // the first piece knew of 4 MiB only
  REQUIRE(tracker.catch_up(world.end) == screen_tracker::state::at_end);
  const auto kept = world.printed.size() - screen_tracker::kept_bytes;
  const auto line = world.printed.find('\n', kept) + 1;
  CHECK(tracker.snapshot() ==
        world.wanted(world.printed.substr(0, 1 << 20) + "\x18" + world.printed.substr(line)));
}

TEST_CASE("screen tracker: what comes back after the terminal is gone harms nobody", "[actors]") {
  tracked_world world;
  {
    auto tracker = world.make(true);
    world.print(tracker, 1 << 20);
  }
  world.run_elsewhere();
  CHECK(world.progressed == 0);
}
