// The views' thread with rebuilds behind it.
#include "actors/projection_driver.hpp"

#include <atomic>
#include <future>
#include <thread>

#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
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
    driver.when_projected(journal.head(), seconds{10}, [&](bool all) { shown.set_value(all); });
    return shown.get_future().get();
  }
};

void no_failure(const journal_error& why) {
  FAIL(why.message);
}

}  // namespace

TEST_CASE("projection driver: every view is rebuilt behind the others and is the same",
          "[actors]") {
  world w;
  w.history.grow(9'000);
  prompt_background behind;
  projection_driver driver{w.journal, w.views, no_failure, &behind};
  driver.start();
  REQUIRE(w.shows_all(driver));
  const auto rebuilt = driver.rebuild({}, [](std::uint64_t) {});
  REQUIRE(rebuilt.has_value());
  CHECK(rebuilt->size() == 6);
  for (const auto& each : *rebuilt) {
    CHECK(each.identical);
    CHECK(each.generation == 2);
    CHECK(each.checkpoint == w.journal.head().offset);
  }
  CHECK_FALSE(driver.rebuild("planet", [](std::uint64_t) {}).has_value());
}

TEST_CASE("projection driver: rebuilds end swapped and compared however commits arrive",
          "[actors]") {
  world w;
  prompt_background behind;
  projection_driver driver{w.journal, w.views, no_failure, &behind};
  driver.start();
  std::atomic<bool> over{false};
  std::thread growing{[&] {
    constexpr std::uint64_t ahead_max = 300;  // a fold is slower than what is folded
    while (!over)
      if (w.journal.head().offset < driver.projected().offset + ahead_max) w.history.grow(1);
  }};
  bool all_identical = true;
  std::uint32_t generation = 1;
  for (int i = 0; i < 30; ++i) {
    const auto rebuilt = driver.rebuild("activity", [](std::uint64_t) {});
    all_identical = all_identical && rebuilt && rebuilt->front().identical &&
                    rebuilt->front().generation == ++generation;
  }
  over = true;
  growing.join();
  CHECK(all_identical);
}

TEST_CASE("projection driver: live views go on while a rebuild waits, and its end is answered",
          "[actors]") {
  world w;
  w.history.grow(9'000);
  held_background behind;
  projection_driver driver{w.journal, w.views, no_failure, &behind};
  driver.start();
  REQUIRE(w.shows_all(driver));
  auto rebuilt =
      std::async(std::launch::async, [&] { return driver.rebuild("audit", [](std::uint64_t) {}); });
  REQUIRE(behind.has_work());
  CHECK_FALSE(driver.rebuild("audit", [](std::uint64_t) {}).has_value());  // one at a time
  w.history.grow(100);
  CHECK(w.shows_all(driver));
  driver.end_rebuilds();
  REQUIRE(rebuilt.wait_for(seconds{10}) == std::future_status::ready);
  CHECK_FALSE(rebuilt.get().has_value());
  w.history.grow(100);
  CHECK(w.shows_all(driver));
}

}  // namespace berth
