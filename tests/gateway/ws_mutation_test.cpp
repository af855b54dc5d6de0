// Seeded mutations of valid frames against a live connection.
#include "tests/support/random_frames.hpp"
#include "tests/support/ws_world.hpp"

using namespace berth;
using namespace berth::testing;

namespace {
constexpr std::uint64_t window = 262'144;
}

TEST_CASE("connection: mutated frames are answered typed, and a client beside them notices nothing",
          "[gateway]") {
  ws_world world;
  const auto terminal = world.make_terminal();
  ws_peer valid(world, false);
  valid.hello();
  (void)valid.heard();
  valid.say(1, open_terminal(terminal, 0, window));
  (void)valid.heard();
  std::string expected, received;
  random_frames random{42};
  std::mt19937_64 dice{42};
  std::size_t framing = 0, typed_errors = 0;
  for (int round = 0; round < 400; ++round) {
    ws_peer peer(world, false);
    peer.hello();
    peer.say(1, open_terminal(terminal, 0, 0));
    (void)peer.heard();
    for (int i = 0; i < 10 && !peer.transport->closed; ++i) {
      auto bytes = wire::encode_message(random.next());
      for (auto n = dice() % 3; n > 0; --n)
        bytes[dice() % bytes.size()] = static_cast<char>(dice());
      const bool framed = wire::split_message(bytes).has_value();
      peer.transport->arrive(std::move(bytes), false);
      for (const auto& one : peer.heard()) {
        const auto* problem = std::get_if<wire::error>(&one.what);
        if (!problem) continue;
        CHECK_FALSE(problem->code.empty());
        ++typed_errors;
      }
      CHECK(peer.transport->closed.has_value() == !framed);
      if (framed) continue;
      CHECK(peer.transport->closed == gateway::ws_close_code::framing);
      ++framing;
    }
    world.kernel.print(terminal, "x" + std::to_string(round));
    expected += "x" + std::to_string(round);
    received += output_of(valid.heard(), 1, received.size());
  }
  CHECK(framing > 100);
  CHECK(typed_errors > 1000);
  CHECK(received == expected);
}
