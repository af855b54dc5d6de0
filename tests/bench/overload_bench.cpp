// Ten times more commands than the kernel can do: what it takes, what it refuses, what it costs.
//   overload_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// Commands are record_activity of 1,000 environments of 100 accounts, asked by one thread at a rate
// whatever is answered; the sustainable rate is four fifths of what a closed loop reaches with
// 1,000 in flight. Times are from the call to its answer.
#include "tests/bench/bench_kernel.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t environments_count = 1'000;
constexpr std::size_t accounts_count = 100;
constexpr double sustainable_part = 0.8;
constexpr double overload_times = 10;

struct commands {
  bench_kernel& kernel;
  std::vector<owned_environment> to;

  template <class Answered>
  void ask(std::size_t n, Answered answered) {
    const auto& one = to[n % to.size()];
    kernel->ask(one.id, environment::record_activity{"keys"}, kernel.meta(one.account),
                [answered](const auto& got) { answered(got); });
  }
};

double closed_rate(commands& any, std::size_t count) {
  constexpr std::size_t in_flight = 1'000;
  const auto began = steady::now();
  closed_loop(count, in_flight, [&](std::size_t i, std::function<void()> done) {
    any.ask(i, [done](const auto&) { done(); });
  });
  return static_cast<double>(count) / seconds_since(began);
}

// The most memory this process had while it lived.
class memory_watch {
 public:
  double stop() {
    stopping_ = true;
    thread_.join();
    return most_;
  }

 private:
  void run() {
    constexpr std::chrono::milliseconds every{50};
    while (!stopping_) {
      most_ = std::max(most_, resident_bytes());
      std::this_thread::sleep_for(every);
    }
  }
  std::atomic<bool> stopping_{false};
  double most_{};
  std::thread thread_{[this] { run(); }};
};

struct outcome_of_load {
  double offered_a_second{};
  double accepted_a_second{};
  spread accepted, refused;
  std::uint64_t refusals{};
  double rss_max_bytes{};
};

outcome_of_load load(commands& any, double per_second, double seconds) {
  histogram accepted, refused;
  std::atomic<std::size_t> open{0};
  memory_watch memory;
  const auto began = steady::now();
  outcome_of_load seen;
  seen.offered_a_second = open_loop(
      per_second, [&](double passed) { return passed < seconds; },
      [&](std::size_t n) {
        ++open;
        any.ask(n, [&, asked = steady::now()](const auto& got) {
          if (!got && got.error() != rejection_code::overloaded) fail(got.error().message);
          (got ? accepted : refused).add(us_since(asked));
          --open;
        });
      });
  while (open > 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  seen.accepted_a_second = static_cast<double>(accepted.count()) / seconds_since(began);
  seen.rss_max_bytes = memory.stop();
  seen.accepted = accepted.read();
  seen.refused = refused.read();
  seen.refusals = refused.count();
  return seen;
}

void print_load(const std::string& name, const outcome_of_load& seen,
                const outcome_of_load& sustainable) {
  print_row("overload", name,
            {{"offered_per_second", seen.offered_a_second},
             {"times_sustainable", seen.offered_a_second / sustainable.offered_a_second},
             {"per_second", seen.accepted_a_second},
             {"p50_us", seen.accepted.p50},
             {"p99_us", seen.accepted.p99},
             {"p99_times_sustainable", seen.accepted.p99 / sustainable.accepted.p99},
             {"refused", static_cast<double>(seen.refusals)},
             {"refused_p99_us", seen.refused.p99},
             {"refused_max_us", seen.refused.max},
             {"rss_mib", seen.rss_max_bytes / mib}});
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "overload-bench"};
  bench_kernel kernel{run.dir};
  commands any{kernel, kernel.make_environments(environments_count, accounts_count)};
  closed_rate(any, run.of(200'000, 50'000));  // to warm up
  const auto rate = sustainable_part * closed_rate(any, run.of(500'000, 100'000));
  const auto sustainable = load(any, rate, static_cast<double>(run.of(20, 5)));
  print_load("sustainable", sustainable, sustainable);
  const auto overloaded = load(any, overload_times * rate, static_cast<double>(run.of(60, 10)));
  print_load("overload", overloaded, sustainable);
}
