// A server that was killed: how soon it answers again, and how fast all of its log can be folded.
//   recovery_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// The log holds sessions of 100 events each and no snapshot (one is taken every 256 events). As
// after any SIGKILL, what was written is in the machine's page cache.
#include <csignal>
#include <future>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_kernel.hpp"
#include "tools/inspect/log_fold.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t events_a_stream = 100;

// The first event of a session is that it was opened, each further one a device it was handed to.
session::command next_of_session(const owned_session& of, std::size_t events_before,
                                 const uuid& input_stream) {
  constexpr std::size_t client_bytes = 160;  // makes it an event of 250 B
  const std::string client(client_bytes, static_cast<char>('a' + events_before % 26));
  if (events_before == 0) return session::open{of.account, {"tok_bench"}, client, input_stream};
  return session::hand_over{client, input_stream};
}

// Of the second and every further event.
std::size_t event_bytes(bench_kernel& kernel) {
  const auto of = session_number(0);
  session::state now;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto asked = next_of_session(of, i, kernel.fresh_uuid());
    const auto event = session::aggregate::decide(now, asked, {})->front();
    bytes = session::aggregate::encode(event).payload.size();
    now = session::aggregate::apply(std::move(now), event);
  }
  return bytes;
}

answer<session::aggregate> ask_and_wait(bench_kernel& kernel, const owned_session& of,
                                        session::command what) {
  std::promise<outcome<answer<session::aggregate>>> answered;
  kernel->ask(of.id, std::move(what), kernel.meta(of.account),
              [&](auto got) { answered.set_value(std::move(got)); });
  auto got = answered.get_future().get();
  if (!got) fail(got.error().message);
  return std::move(*got);
}

// Never returns: it dies as a server does that is killed, with its directory open.
[[noreturn]] void fill_and_die(const std::filesystem::path& dir, std::size_t streams) {
  constexpr std::size_t in_flight = 4'000;
  bench_kernel kernel{dir};
  closed_loop(streams * events_a_stream, in_flight, [&](std::size_t i, std::function<void()> done) {
    const auto session = session_number(i % streams);
    kernel->ask(session.id, next_of_session(session, i / streams, kernel.fresh_uuid()),
                kernel.meta(session.account), [done](const auto& got) {
                  if (!got) fail(got.error().message);
                  done();
                });
  });
  std::fprintf(stderr, "    %.0f B a record, of which the event %zu B\n", kernel.bytes_a_commit(),
               event_bytes(kernel));
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

// RocksDB must not be open across a fork, so the child goes first.
void fill_and_kill(const std::filesystem::path& dir, std::size_t streams) {
  const auto child = ::fork();
  if (child == 0) fill_and_die(dir, streams);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
    fail("the filling failed");
}

void first_command(const std::filesystem::path& dir, std::size_t streams) {
  const auto session = session_number(std::random_device{}() % streams);
  const auto began = steady::now();
  bench_kernel kernel{dir};
  const auto opened = seconds_since(began);
  const auto got =
      ask_and_wait(kernel, session, next_of_session(session, events_a_stream, kernel.fresh_uuid()));
  const auto seconds = seconds_since(began);
  if (got.version.value != events_a_stream + 1) fail("the session has lost events");
  print_row("recovery",
            "SIGKILL with " + std::to_string(streams * events_a_stream) +
                " events to the first command answered",
            {{"seconds", seconds}, {"opened_s", opened}});
}

// As `berth-replay --verify-fold` does: every record checked, every event decoded and applied.
void fold_all(const journal& log) {
  const auto began = steady::now();
  const auto folded = inspect::fold_log(log);
  if (!folded) fail(folded.error().message);
  const auto events = static_cast<double>(folded->events);
  print_row("recovery", "full fold",
            {{"per_second", events / seconds_since(began)},
             {"events", events},
             {"streams", static_cast<double>(folded->streams)}});
}

// As an actor's first command does without a snapshot: its commits lie all over the log.
void fold_some_streams(const journal& log, std::size_t streams, std::size_t times) {
  std::mt19937_64 random{std::random_device{}()};
  std::vector<double> us;
  for (std::size_t i = 0; i < times; ++i) {
    const auto session = session_number(random() % streams);
    const auto began = steady::now();
    const auto folded = inspect::fold_stream(log, {aggregate_kind::session, session.id.value});
    us.push_back(us_since(began));
    if (!folded || folded->version.value < events_a_stream) fail("a session cannot be read");
  }
  const auto times_of = spread::of(us);
  print_row("recovery", "one stream of 100 events read and folded",
            {{"p50_us", times_of.p50}, {"p99_us", times_of.p99}});
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "recovery-bench"};
  const auto streams = run.of(10'000, 1'000);
  fill_and_kill(run.dir, streams);
  first_command(run.dir, streams);
  const auto engine = open_engine(run.dir);
  fold_all(engine->journal());
  fold_some_streams(engine->journal(), streams, run.of(1'000, 200));
}
