// The views' thread with rebuilds behind it.
#include "actors/projection_driver.hpp"

#include <atomic>
#include <future>
#include <thread>

#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/partitioned_journal.hpp"
#include "tests/support/random_history.hpp"

namespace berth {
namespace {

using std::chrono::seconds;

class prompt_background : public background {
 public:
  void run(std::function<void()> work) override { std::thread{std::move(work)}.detach(); }
};

// Keeps what it is given.
class held_background : public background {
 public:
  void run(std::function<void()> work) override {
    const std::lock_guard lock{mutex_};
    kept_.push_back(std::move(work));
    came_.notify_all();
  }
  bool has_work() {
    std::unique_lock lock{mutex_};
    return came_.wait_for(lock, seconds{10}, [this] { return !kept_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::function<void()>> kept_;
};

struct world {
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_view_store views;
  test::random_history history{journal, 11};

  bool shows_all(projection_driver& driver) {
    std::promise<bool> shown;
    driver.when_projected(heads_of(journal), seconds{10}, [&](bool all) { shown.set_value(all); });
    return shown.get_future().get();
  }
};

// A driver whose views show `commits` commits.
template <class Background>
struct driven : world {
  explicit driven(std::size_t commits) {
    history.grow(commits);
    driver.start();
    REQUIRE(shows_all(driver));
  }
  auto rebuild(const std::string& view = {}) {
    return driver.rebuild(view, [](std::uint64_t) {});
  }

  Background behind;
  projection_driver driver{journal, views, [](const journal_error& why) { FAIL(why.message); },
                           &behind};
};

constexpr std::size_t commits_to_fill = 9'000;  // more than the views' thread does alone

}  // namespace

TEST_CASE("projection driver: every view is rebuilt behind the others and is the same",
          "[actors]") {
  driven<prompt_background> w{commits_to_fill};
  const auto rebuilt = w.rebuild();
  REQUIRE(rebuilt.has_value());
  CHECK(rebuilt->size() == 6);
  for (const auto& each : *rebuilt) {
    CHECK(each.identical);
    CHECK(each.generation == 2);
    CHECK(each.checkpoint == w.journal.head().offset);
  }
  CHECK_FALSE(w.rebuild("planet").has_value());
}

TEST_CASE("projection driver: of several partitions each is waited for, and all are rebuilt",
          "[actors]") {
  testing::manual_clock clock;
  testing::partitioned_journal journal{clock, 5};
  memory_view_store views;
  test::random_history history{journal, 11};
  history.grow(commits_to_fill);
  prompt_background behind;
  projection_driver driver{journal, views, [](const journal_error& why) { FAIL(why.message); },
                           &behind};
  driver.start();
  const auto shows = [&](const journal_cursor& at, std::chrono::milliseconds within) {
    std::promise<bool> shown;
    driver.when_projected(at, within, [&](bool all) { shown.set_value(all); });
    return shown.get_future().get();
  };
  for (std::uint32_t partition = 0; partition < 5; ++partition)
    CHECK(shows(journal.head(partition), seconds{10}));
  CHECK(shows(heads_of(journal), seconds{10}));
  CHECK(driver.projected() == heads_of(journal));
  auto beyond = heads_of(journal);
  beyond.set({3, beyond.offset(3) + 1});
  CHECK_FALSE(shows(beyond, std::chrono::milliseconds{1}));
  const auto rebuilt = driver.rebuild("", [](std::uint64_t) {});
  REQUIRE(rebuilt.has_value());
  for (const auto& each : *rebuilt) {
    CHECK(each.identical);
    CHECK(each.generation == 2);
    CHECK(each.checkpoint == commits_to_fill);
  }
}

TEST_CASE("projection driver: rebuilds end swapped and compared however commits arrive",
          "[actors]") {
  driven<prompt_background> w{0};
  std::atomic<bool> over{false};
  std::thread growing{[&] {
    constexpr std::uint64_t ahead_max = 300;  // a fold is slower than what is folded
    while (!over)
      if (w.journal.head().offset < w.driver.projected().commits() + ahead_max) w.history.grow(1);
  }};
  bool all_identical = true;
  std::uint32_t generation = 1;
  for (int i = 0; i < 30; ++i) {
    const auto rebuilt = w.rebuild("activity");
    all_identical = all_identical && rebuilt && rebuilt->front().identical &&
                    rebuilt->front().generation == ++generation;
  }
  over = true;
  growing.join();
  CHECK(all_identical);
}

TEST_CASE("projection driver: live views go on while a rebuild waits, and its end is answered",
          "[actors]") {
  driven<held_background> w{commits_to_fill};
  auto rebuilt = std::async(std::launch::async, [&] { return w.rebuild("audit"); });
  REQUIRE(w.behind.has_work());
  CHECK_FALSE(w.rebuild("audit").has_value());  // one at a time
  w.history.grow(100);
  CHECK(w.shows_all(w.driver));
  w.driver.end_rebuilds();
  REQUIRE(rebuilt.wait_for(seconds{10}) == std::future_status::ready);
  CHECK_FALSE(rebuilt.get().has_value());
  w.history.grow(100);
  CHECK(w.shows_all(w.driver));
}

}  // namespace berth
