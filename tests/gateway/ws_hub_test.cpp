#include "tests/support/ws_world.hpp"

using namespace berth;
using testing::ws_world;

TEST_CASE("hub: an end that was read while the watcher waited its turn is told all the same",
          "[gateway]") {
  ws_world world;
  const auto close = [&](const std::string& session) {
    const auto done = world.below.kernel.system_ask<session::aggregate>(
        session, session::close{session::close_reason::logout});
    REQUIRE(done);
  };
  std::vector<std::string> told;
  const auto watch = [&](const std::string& name) {
    const auto id = derived_id("sess", name, uuid{});
    const session::open opening{world.account, {"tok_1"}, "test", uuid::derived("input", name)};
    REQUIRE(world.below.kernel.system_ask<session::aggregate>(id, opening));
    gateway::ws_caller who;
    who.session = {id};
    return std::pair{id, world.hub->watch_session(who, world.below.journal.head(),
                                                  [&told, name](auto code, auto) {
                                                    told.push_back(name + " " + code);
                                                  })};
  };
  const auto first = watch("first");
  world.run();
  close(first.first);  // wakes the hub, which has not run yet
  const auto second = watch("second");
  close(second.first);
  world.run();
  CHECK(told == std::vector<std::string>{"first session_closed", "second session_closed"});
}

TEST_CASE("hub: a commit between asking to watch the head and being listed is told", "[gateway]") {
  ws_world world;
  world.run();
  world.below.make_account("first");  // wakes the hub, which has not run yet
  position told;
  const auto watching = world.hub->watch_head([&](position head) { told = head; });
  world.below.make_account("second");  // for this one too
  world.run();
  CHECK(told == world.below.journal.head());
}
