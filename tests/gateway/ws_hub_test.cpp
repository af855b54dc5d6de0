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
    return std::pair{id, world.hub->watch_session(who, heads_of(world.below.journal),
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

TEST_CASE("hub: ends of sessions are heard of every partition, of each from where it was seen",
          "[gateway]") {
  ws_world world{5};
  const auto tell = [&](const std::string& session, session::command what) {
    REQUIRE(world.below.kernel.system_ask<session::aggregate>(session, std::move(what)));
  };
  constexpr int sessions = 30;
  std::vector<std::string> ids;
  std::multiset<std::string> told;
  std::vector<std::shared_ptr<void>> watching;
  std::set<std::uint32_t> partitions;
  for (int i = 0; i < sessions; ++i) {
    const auto name = std::to_string(i);
    const auto id = derived_id("sess", name, uuid{});
    partitions.insert(partition_of({aggregate_kind::session, id}, 5));
    tell(id, session::open{world.account, {"tok_1"}, "test", uuid::derived("input", name)});
    gateway::ws_caller who;
    who.session = {id};
    watching.push_back(
        world.hub->watch_session(who, heads_of(world.below.journal),
                                 [&told, id](auto code, auto) { told.insert(id + " " + code); }));
    ids.push_back(id);
    if (i % 3 == 0) world.run();  // others wait their turn while more is written
  }
  CHECK(partitions.size() == 5);
  for (const auto& id : ids) tell(id, session::close{session::close_reason::logout});
  world.run();
  CHECK(told.size() == sessions);
  for (const auto& id : ids) CHECK(told.count(id + " session_closed") == 1);
}

TEST_CASE("hub: a commit between asking to watch the head and being listed is told", "[gateway]") {
  ws_world world;
  world.run();
  world.below.make_account("first");  // wakes the hub, which has not run yet
  journal_cursor told;
  const auto watching = world.hub->watch_heads([&](const journal_cursor& heads) { told = heads; });
  world.below.make_account("second");  // for this one too
  world.run();
  CHECK(told == heads_of(world.below.journal));
}
