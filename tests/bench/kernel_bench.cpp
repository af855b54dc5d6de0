// Durable commands through the real kernel and the embedded journal, in one process.
//   kernel_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// An answer counts when it is durable. Commands are record_activity of running environments (one
// event each).
#include "tests/bench/bench_kernel.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t environments_count = 1'000;

void commands(bench_kernel& kernel, const std::vector<owned_environment>& to,
              const std::string& name, std::size_t streams, std::size_t in_flight,
              std::size_t count) {
  std::atomic<std::size_t> refused{0};
  const auto began = steady::now();
  auto us = closed_loop(count, in_flight, [&](std::size_t i, std::function<void()> done) {
    const auto& one = to[i % streams];
    kernel->ask(one.id, environment::record_activity{"keys"}, kernel.meta(one.account),
                [&refused, done](const auto& got) {
                  if (!got) ++refused;
                  done();
                });
  });
  const auto seconds = seconds_since(began);
  const auto times = spread::of(us);
  print_row("kernel", name,
            {{"per_second", static_cast<double>(count) / seconds},
             {"p50_us", times.p50},
             {"p99_us", times.p99},
             {"refused", static_cast<double>(refused)}});
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "kernel-bench"};
  const std::size_t scale = run.of(5, 1);
  bench_kernel kernel{run.dir};
  const auto to = kernel.make_environments(environments_count, 1);
  commands(kernel, to, "commands, 1 in flight, 1 stream", 1, 1, 1'000 * scale);
  commands(kernel, to, "commands, 256 in flight, 1000 streams", 1'000, 256, 40'000 * scale);
  commands(kernel, to, "commands, 1000 in flight, 1000 streams", 1'000, 1'000, 60'000 * scale);
  commands(kernel, to, "commands, 1000 in flight, 1 stream", 1, 1'000, 40'000 * scale);
  print_row("kernel", "rss after it", {{"mib", resident_bytes() / mib}});
}
