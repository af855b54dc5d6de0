// What the hub tells who watches the journal, with its turns taken by hand.
#include "gateway/ws/ws_hub.hpp"

#include <boost/asio/io_context.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/gateway_world.hpp"

namespace berth::gateway {
namespace {

using testing::gateway_world;

}  // namespace

TEST_CASE("hub: a commit between asking to watch and being listed is told", "[gateway]") {
  gateway_world world;
  boost::asio::io_context turns;
  const auto hub = std::make_shared<ws_hub>(world.services, turns.get_executor());
  hub->begin();
  world.make_account("first", account::role::member);  // the hub has a turn coming
  position told;
  const auto watching = hub->watch_head([&](position head) { told = head; });
  world.make_account("second", account::role::member);  // that turn is for this commit too
  turns.run();
  CHECK(told == world.journal.head());
  hub->stop();
}

}  // namespace berth::gateway
