// What is typed into a terminal: applied once, in order, whatever is refused in between.
#include "tests/support/ws_world.hpp"

using namespace berth;
using namespace berth::testing;

namespace {
constexpr std::uint64_t window = 262'144;
const std::vector<wire::frame> typed{
    {1, wire::input{1, "a"}}, {1, wire::input{2, "b"}}, {1, wire::input{3, "c"}}};
}  // namespace

TEST_CASE(
    "connection: input is applied once over reconnects, and refused with its sequence when it "
    "cannot be",
    "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  std::string session;
  {
    ws_peer peer(world, false);
    peer.hello();
    session = peer.hear<wire::welcome>().session;
    peer.say({{1, open_terminal(terminal, 0, window)},
              {1, wire::input{1, "a"}},
              {1, wire::input{2, "b"}}});
    (void)peer.heard();
  }
  ws_peer peer(world, false);
  peer.hello(session);
  (void)peer.heard();
  peer.say({{1, open_terminal(terminal, 0, window)},
            {1, wire::input{1, "a"}},
            {1, wire::input{2, "b"}},
            {1, wire::input{3, "c"}}});
  (void)peer.heard();
  CHECK(world.kernel.typed(terminal) == "abc");

  peer.say(1, wire::input{4, std::string(16'385, 'x')});
  CHECK(peer.hear<wire::input_refused>().code == "invalid_argument");
  peer.say(1, wire::input{0, "x"});
  CHECK(peer.hear<wire::input_refused>().code == "invalid_argument");
  peer.say(2, open_terminal(terminal, 0, 0, false));
  (void)peer.heard();
  peer.say(2, wire::input{4, "x"});
  CHECK(peer.hear<wire::input_refused>().code == "forbidden");
  CHECK(world.kernel.typed(terminal) == "abc");
}

TEST_CASE("connection: input goes on when what was refused had been applied before", "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, false);
  peer.hello();
  const auto peer_session = peer.hear<wire::welcome>().session;
  peer.say({{1, open_terminal(terminal, 0, window)}, {1, wire::input{1, "a"}}});
  (void)peer.heard();
  world.kernel.with(terminal, [](auto& t) {
    t.refuse_input = reject(rejection_code::unavailable, "the agent is away");
  });
  SECTION("and this connection knows") {
    peer.say(1, wire::input{1, "a"});
    CHECK(peer.hear<wire::input_applied>().sequence == 1);
  }
  SECTION("and this connection learns it from the answer to the next") {
    ws_peer again(world, false);
    again.hello(peer_session);
    again.say(1, open_terminal(terminal, 0, window));
    (void)again.heard();
    again.say({{1, wire::input{1, "a"}}, {1, wire::input{2, "b"}}});
    CHECK(again.hear<wire::input_refused>().sequence == 1);
    again.say(1, wire::input{3, "c"});
    CHECK(again.hear<wire::input_applied>().sequence == 3);
    CHECK(world.kernel.typed(terminal) == "abc");
  }
}

TEST_CASE("connection: of frames that are refused together only the first is told", "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, false);
  peer.hello();
  peer.say(1, open_terminal(terminal, 0, window));
  (void)peer.heard();
  world.kernel.with(terminal, [](auto& t) {
    t.refuse_input = reject(rejection_code::unavailable, "the agent is away");
  });
  peer.say(typed);
  const auto refused = peer.hear<wire::input_refused>();
  CHECK(refused.sequence == 1);
  CHECK(refused.code == "overloaded");
  peer.say(1, wire::input{4, "d"});  // before it sends again
  CHECK(peer.heard().empty());
  peer.say(typed);
  peer.say(1, wire::input{4, "d"});
  (void)peer.heard();
  CHECK(world.kernel.typed(terminal) == "abcd");
}

TEST_CASE("connection: of frames that the agent cannot take one is told, whatever the others say",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, false);
  peer.hello();
  peer.say(1, open_terminal(terminal, 0, window));
  (void)peer.heard();
  world.kernel.with(terminal, [](auto& t) { t.away = true; });
  peer.say(typed);
  CHECK(peer.hear<wire::input_refused>().sequence == 1);
  world.kernel.with(terminal, [](auto& t) { t.away = false; });
  peer.say(typed);
  (void)peer.heard();
  CHECK(world.kernel.typed(terminal) == "abc");
}

TEST_CASE("connection: what waits to be applied is bounded, also before the terminal is there",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  const std::string key(16'384, 'k');
  std::vector<wire::frame> frames{{1, open_terminal(terminal, 0, window)}};
  // An invalid frame of the same number gives back nothing.
  for (std::uint64_t i = 1; i <= 6; ++i)
    for (const auto& bytes : {key, std::string{}}) frames.push_back({1, wire::input{i, bytes}});
  SECTION("in one message with the opening") {
    peer.say(frames);
  }
  SECTION("while the agent does not answer") {
    world.kernel.with(terminal, [](auto& t) { t.silent = true; });
    peer.say(frames);
  }
  std::size_t overloaded = 0, invalid = 0;
  for (const auto& each : peer.heard())
    if (const auto* refused = std::get_if<wire::input_refused>(&each.what))
      ++(refused->code == "overloaded" ? overloaded : invalid);
  CHECK(invalid == 6);
  CHECK(overloaded == 1);
  CHECK(world.kernel.typed(terminal).size() <= 65'536);
}
