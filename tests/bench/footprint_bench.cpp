// What an actor in memory costs: sessions that are attached, so that they stay.
//   footprint_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// Each has three events (opened, handed over, attached) and an account of its own. Everything else
// that so many sessions make the process keep is counted too: index, caches, write buffers, timers.
#include "tests/bench/bench_kernel.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

session::command nth_command(std::size_t n, const owned_session& of, const uuid& input_stream) {
  if (n == 0) return session::open{of.account, {"tok_bench"}, "devctl/0.1 linux", input_stream};
  if (n == 1) return session::hand_over{"Mozilla/5.0 (X11; Linux x86_64)", input_stream};
  return session::attach{"conn_" + input_stream.text(), "192.0.2.1:50000"};
}

void make_sessions(bench_kernel& kernel, std::size_t count) {
  constexpr std::size_t events_each = 3, in_flight = 1'000;
  closed_loop(count * events_each, in_flight, [&](std::size_t i, std::function<void()> done) {
    const auto session = session_number(i / events_each);
    kernel->ask(session.id, nth_command(i % events_each, session, kernel.fresh_uuid()),
                kernel.meta(session.account), [done](const auto& got) {
                  if (!got) fail(got.error().message);
                  done();
                });
  });
}

// The index lags behind the answers, and the allocator gives memory back over ten seconds or so.
void settle(bench_kernel& kernel) {
  while (kernel.engine().stats().index_lag_commits > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  std::this_thread::sleep_for(std::chrono::seconds{12});
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "footprint-bench"};
  const auto count = run.of(500'000, 50'000);
  bench_kernel kernel{run.dir};
  const auto empty = resident_bytes();
  make_sessions(kernel, count);
  const auto busy = resident_bytes();
  settle(kernel);
  const auto resident = resident_bytes();
  if (kernel->stats().actors_resident < count) fail("not all of them stayed in memory");
  print_row("footprint", std::to_string(count) + " resident actors",
            {{"rss_mb", resident / 1e6},
             {"bytes_each", (resident - empty) / static_cast<double>(count)},
             {"rss_mb_at_once", busy / 1e6},
             {"rss_mb_empty", empty / 1e6}});
}
