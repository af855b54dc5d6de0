// What a terminal's live side keeps in memory.
#include "actors/terminal_stream.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/recording_viewer.hpp"
#include "tests/support/simulated_server.hpp"

using namespace berth;
using actors::terminal_stream;
using berth::testing::recording_viewer;
using berth::testing::simulated_server;

namespace {

struct stream_world {
  simulated_server server{1};
  kernel_options options{server.journal, server.host, server.bulk, server.clock, {}, {}, {}};
  terminal_stream stream{terminal_id{"term_1"}, options, 80, 24};

  void print(std::string_view bytes) {
    REQUIRE(stream.chunk(stream.end(), share(std::string{bytes})) == terminal_stream::taken::all);
    while (stream.pump()) {}
  }
  std::shared_ptr<recording_viewer> attach(std::uint64_t credit) {
    auto viewer = std::make_shared<recording_viewer>(stream.end());
    actors::stream_viewer with;
    with.cursor = stream.end();
    with.credit_until = credit;
    with.out = viewer;
    REQUIRE(stream.attach(std::move(with)));
    return viewer;
  }
};

}  // namespace

TEST_CASE("terminal: it keeps no output in memory that every viewer has", "[actors]") {
  stream_world world;
  for (int i = 0; i < 1'000; ++i) world.print("k");
  CHECK(world.stream.hot_bytes() == 0);
  const auto fast = world.attach(~0ULL);
  for (int i = 0; i < 1'000; ++i) world.print("k");
  CHECK(fast->bytes == std::string(1'000, 'k'));
  CHECK(world.stream.hot_bytes() == 0);
}

TEST_CASE("terminal: a viewer that does not read holds a bounded part of it", "[actors]") {
  stream_world world;
  const auto slow = world.attach(0);
  const auto bound = world.options.limits.terminal_hot_bytes_max;
  for (int i = 0; i < 20'000; ++i) world.print("k");
  CHECK(world.stream.hot_bytes() > bound / 2);
  CHECK(world.stream.hot_bytes() <= bound);
  for (int i = 0; i < 3; ++i) world.print(std::string(bound, 'x'));
  CHECK(world.stream.hot_bytes() <= 2 * bound);
  CHECK(slow->bytes.empty());
}
