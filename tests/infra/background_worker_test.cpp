#include "infra/background/background_worker.hpp"

#include <algorithm>
#include <future>
#include <vector>

#include "tests/support/catch.hpp"

using namespace berth;

TEST_CASE("background: work runs in order, on another thread", "[infra]") {
  background_worker worker;
  std::vector<int> order;
  std::promise<std::thread::id> last;
  for (int i = 0; i < 100; ++i) worker.run([&order, i] { order.push_back(i); });
  worker.run([&last] { last.set_value(std::this_thread::get_id()); });
  auto thread = last.get_future();
  REQUIRE(thread.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
  CHECK(thread.get() != std::this_thread::get_id());
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("background: the end waits for the work under way and forgets the rest", "[infra]") {
  background_worker worker;
  std::promise<void> forgotten;
  auto was_forgotten = forgotten.get_future();
  std::atomic<int> done = 0;
  std::promise<void> begun;
  worker.run([&] {
    begun.set_value();
    if (was_forgotten.wait_for(std::chrono::seconds{10}) == std::future_status::ready) ++done;
  });
  REQUIRE(begun.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
  worker.run([&, kept = std::shared_ptr<void>{nullptr, [&](void*) { forgotten.set_value(); }}] {
    done += 100;
  });
  worker.stop();
  worker.run([&] { done += 100; });
  CHECK(done == 1);
}
