// The six paths that everything waits for, one at a time, in one thread and without a clock, so
// that their instructions can be counted (hot_paths.py, callgrind) and the counts compared over
// time.
//   hot_paths NAME ROUNDS
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gateway/ws/binary_codec.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "tests/support/journal_sample.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/recording_viewer.hpp"
#include "tests/support/simulated_server.hpp"

namespace {

using namespace berth;
using testing::simulated_server;

constexpr std::size_t chunk_bytes = 1024;
constexpr std::size_t events_of_a_long_stream = 100;
constexpr std::size_t commits_of_a_history = 100;

environment_id busy_environment(simulated_server& server, std::size_t commands) {
  const auto account = server.make_account("ada");
  const auto environment = server.make_environment(account, "dev");
  for (std::size_t i = 0; i < commands; ++i)
    BERTH_ASSERT(server.call<environment::aggregate>(
        environment, environment::record_activity{"keys"}, server.meta_for(account)));
  return environment;
}

// A command from ask to its durable answer, through actor and journal.
void command(std::size_t rounds) {
  simulated_server server{1};
  (void)busy_environment(server, rounds);
}

// A commit to its record and back, checked.
void record(std::size_t rounds) {
  const auto stream = testing::stream_named("hot");
  chain_hash previous{};
  for (std::size_t i = 1; i <= rounds; ++i) {
    const auto body = encode_body(testing::sample_body(stream, i, i, 1, 100));
    const auto sealed = seal({0, 1, 1, i, from_us(1'800'000'000'000'000), previous}, body);
    const auto opened = open_record(sealed.bytes, {0, i}, &previous);
    BERTH_ASSERT(opened && decode_body(opened->body_bytes).has_value());
    previous = sealed.hash;
  }
}

// 100 commits read and folded into every view.
void fold(std::size_t rounds) {
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  test::random_history history{journal, 1};
  history.grow(commits_of_a_history);
  for (std::size_t i = 0; i < rounds; ++i) {
    memory_view_store views;
    projector all{journal, views};
    BERTH_ASSERT(all.catch_up().has_value());
  }
}

// A stream of 100 events read back and folded.
void recover(std::size_t rounds) {
  simulated_server server{1};
  const auto environment = busy_environment(server, events_of_a_long_stream);
  const stream_id stream{aggregate_kind::environment, environment.value};
  for (std::size_t i = 0; i < rounds; ++i) {
    environment::state state;
    for (const auto& each : *server.journal.read_stream(stream, {0}, 1'000))
      for (const auto& event : each.body.events)
        state =
            environment::aggregate::apply(std::move(state), *environment::aggregate::decode(event));
    BERTH_ASSERT(state.status == environment::status::running);
  }
}

// 1 KiB from the agent to a viewer that has credit.
void terminal_output(std::size_t rounds) {
  simulated_server server{1};
  const auto account = server.make_account("ada");
  const auto environment = server.make_environment(account, "dev");
  const terminal_id id{derived_id("term", account.value, server.fresh_command())};
  BERTH_ASSERT(server.call<terminal::aggregate>(
      id, terminal::open{account, environment, 80, 24, {}, {}, terminal::journal_mode::full, 0},
      server.meta_for(account)));
  server.settle();
  const auto viewer = std::make_shared<testing::recording_viewer>(0);
  server.ask().attach({id,
                       {account, "tok", false},
                       {"sess_1"},
                       input_stream_id{{1}},
                       attach_mode::exact,
                       attach_right::view,
                       0,
                       ~std::uint64_t{0} >> 1},
                      viewer, [viewer](auto got) { viewer->attached(std::move(got)); });
  server.settle();
  const std::string chunk(chunk_bytes, 'x');
  for (std::size_t i = 0; i < rounds; ++i) {
    server.host.feed(id, chunk);
    server.settle();
    viewer->bytes.clear();
  }
}

// An output frame of 1 KiB and a key, encoded, split and parsed.
void frames(std::size_t rounds) {
  const std::string chunk(chunk_bytes, 'x');
  for (std::size_t i = 1; i <= rounds; ++i)
    for (const auto& message :
         {wire::encode_message({1, wire::output{i * chunk_bytes, wire::whole(chunk)}}),
          wire::encode_message({1, wire::input{i, "k"}})}) {
      const auto raw = wire::split_message(message);
      BERTH_ASSERT(raw && raw->size() == 1);
      BERTH_ASSERT(wire::parse_frame(raw->front().header, raw->front().payload).has_value());
    }
}

const std::map<std::string_view, std::function<void(std::size_t)>> paths{
    {"command", command},          {"record", record}, {"fold", fold}, {"recover", recover},
    {"terminal", terminal_output}, {"frames", frames}};

}  // namespace

int main(int argc, char** argv) {
  const auto found = argc == 3 ? paths.find(argv[1]) : paths.end();
  if (found == paths.end()) {
    std::fprintf(stderr, "hot_paths: NAME ROUNDS; the names are");
    for (const auto& [name, run] : paths) std::fprintf(stderr, " %s", name.data());
    std::fprintf(stderr, "\n");
    return 2;
  }
  found->second(std::stoul(argv[2]));
}
