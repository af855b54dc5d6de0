#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/given.hpp"

namespace berth::session {
namespace {

using namespace std::chrono_literals;
using given = test::scenario<session::aggregate>;
using then = given::then;
using code = rejection_code;

const timestamp t0 = test::start_of_time;
const input_stream_id stream_1 = uuid::derived("test", "1");
const input_stream_id stream_2 = uuid::derived("test", "2");

open make() {
  return {{"acct_1"}, {"tok_1"}, "web", stream_1};
}
given existing() {
  return given{}.after(make());
}
given attached_one() {
  return existing().after(attach{"c1", "127.0.0.1"}, 1s);
}
given over() {
  return attached_one().after(close{close_reason::logout}, 2s);
}

}  // namespace

TEST_CASE("session: open checks its arguments and happens once", "[events]") {
  auto bad = make();
  bad.account = {};
  CHECK(given{}.when(bad).field() == "account");
  bad = make(), bad.client = std::string(300, 'x');
  CHECK(given{}.when(bad).field() == "client");
  bad = make(), bad.input_stream = {};
  CHECK(given{}.when(bad).field() == "input_stream");
  CHECK(given{}.when(make()) == then{opened{{"acct_1"}, {"tok_1"}, "web", stream_1, t0}});
  CHECK(existing().when(make()) == then{});
  bad = make(), bad.client = "phone";
  CHECK(existing().when(bad) == code::wrong_state);
  CHECK(over().when(make()) == code::wrong_state);
}

TEST_CASE("session: what does not exist is not found", "[events]") {
  for (const command& asked : std::vector<command>{
           attach{"c1", ""}, detach{"c1"}, hand_over{"phone", stream_2}, close{}, expire{}}) {
    CAPTURE(aggregate::canonical(asked));
    CHECK(given{}.when(asked) == code::not_found);
  }
}

TEST_CASE("session: connections attach and detach, each once", "[events]") {
  CHECK(existing().when(attach{"", ""}) == code::invalid_argument);
  CHECK(existing().when(attach{"c1", "::1"}, 1s) == then{attached{"c1", "::1", t0 + 1s}});
  CHECK(attached_one().when(attach{"c1", "::1"}) == then{});
  CHECK(attached_one().when(detach{"c1"}, 2s) == then{detached{"c1", t0 + 2s}});
  CHECK(attached_one().when(detach{"c9"}) == then{});
}

TEST_CASE("session: connections are bounded, the oldest makes room", "[events]") {
  auto full = existing();
  for (std::size_t i = 0; i < connections_max; ++i)
    full.after(attach{"c" + std::to_string(100 + i), ""});
  CHECK(full.when(attach{"c999", ""}, 1s) ==
        then{detached{"c100", t0 + 1s}, attached{"c999", "", t0 + 1s}});
}

TEST_CASE("session: it is handed over with a new input stream", "[events]") {
  CHECK(existing().when(hand_over{"phone", {}}) == code::invalid_argument);
  CHECK(existing().when(hand_over{"phone", stream_1}).field() == "input_stream");
  CHECK(existing().when(hand_over{"web", stream_1}) == then{});
  CHECK(existing().when(hand_over{"phone", stream_2}, 1s) ==
        then{handed_over{"phone", stream_2, t0 + 1s}});
}

TEST_CASE("session: a closed one takes no more, and closing again is not news", "[events]") {
  CHECK(over().when(attach{"c2", ""}) == code::wrong_state);
  CHECK(over().when(hand_over{"phone", stream_2}) == code::wrong_state);
  CHECK(over().when(close{}) == then{});
  CHECK(over().when(detach{"c1"}) == then{});
  CHECK(over().when(expire{}, 24h * 40) == then{});
  CHECK(over().state.connections.empty());
}

TEST_CASE("session: it expires 30 days after it was last seen, unless something is attached",
          "[events]") {
  CHECK_FALSE(aggregate::deadline(attached_one().state));
  const auto idle = attached_one().after(detach{"c1"}, 5s);
  CHECK(aggregate::deadline(idle.state) == t0 + 5s + idle_max);
  CHECK(idle.when(expire{}, 24h * 30) == then{});
  CHECK(idle.when(expire{}, 24h * 30 + 5s) == then{closed{close_reason::idle, t0 + 24h * 30 + 5s}});
  CHECK(attached_one().when(expire{}, 24h * 40) == then{});
  CHECK_FALSE(aggregate::deadline(over().state));
}

TEST_CASE("host: it enlists once a boot, and its last sign of life only grows", "[events]") {
  using host_given = test::scenario<host::aggregate>;
  using host_then = host_given::then;
  const auto enlisted = host_given{}.after(host::enlist{"boot-1", "sandbox"});
  CHECK(host_given{}.when(host::enlist{"", "sandbox"}) == code::invalid_argument);
  CHECK(host_given{}.when(host::record_alive{t0}) == code::not_found);
  CHECK(enlisted.when(host::enlist{"boot-1", "sandbox"}) == host_then{});
  CHECK(enlisted.when(host::enlist{"boot-2", "sandbox"}) ==
        host_then{host::registered{"boot-2", "sandbox", t0}});
  CHECK(enlisted.when(host::record_alive{t0 + 5s}, 9s) ==
        host_then{host::alive_seen{t0 + 5s, t0 + 9s}});
  // Never ahead of now, never back.
  CHECK(enlisted.when(host::record_alive{t0 + 50s}, 9s) ==
        host_then{host::alive_seen{t0 + 9s, t0 + 9s}});
  auto seen = enlisted;
  CHECK(seen.after(host::record_alive{t0 + 5s}, 9s).when(host::record_alive{t0 + 4s}, 9s) ==
        host_then{});
}

TEST_CASE("host: it is cordoned and uncordoned, each once", "[events]") {
  using host_given = test::scenario<host::aggregate>;
  using host_then = host_given::then;
  CHECK(host_given{}.when(host::cordon{}) == code::not_found);
  const auto enlisted = host_given{}.after(host::enlist{"boot-1", "sandbox"});
  CHECK(enlisted.when(host::uncordon{}) == host_then{});
  CHECK(enlisted.when(host::cordon{}) == host_then{host::cordoned{t0}});
  auto cordoned = enlisted;
  cordoned.after(host::cordon{});
  CHECK(cordoned.state.is_cordoned);
  CHECK(cordoned.when(host::cordon{}) == host_then{});
  CHECK(cordoned.when(host::uncordon{}) == host_then{host::uncordoned{t0}});
}

}  // namespace berth::session
