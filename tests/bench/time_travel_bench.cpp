// The state of one actor of 100,000 events at any version and at any time.
//   time_travel_bench [--quick] [--dir DIR]      JSON lines on stdout, a table on stderr
// Read beside the running server, as `berth-inspect state --version` and `--at` do; and, for
// comparison, from the nearest snapshot before it, as the server itself answers the retry of an old
// command.
#include <random>

#include "actors/stream_history.hpp"
#include "tests/bench/bench_kernel.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::size_t events_count = 100'000;

struct history {
  stream_id stream;
  timestamp first, last;
};

history make_history(bench_kernel& kernel) {
  constexpr std::size_t in_flight = 1'000;
  const auto made = kernel.make_environments(1, 1).front();
  const stream_id stream{aggregate_kind::environment, made.id.value};
  const auto& log = kernel.engine().journal();
  const auto events_before = log.read_stream(stream, {0}, in_flight)->back().body.last().value;
  closed_loop(events_count - events_before, in_flight, [&](auto, std::function<void()> done) {
    kernel->ask(made.id, environment::record_activity{"keys"}, kernel.meta(made.account),
                [done](const auto& got) {
                  if (!got) fail(got.error().message);
                  done();
                });
  });
  const auto first = log.read_stream(stream, {0}, 1);
  const auto last = log.read_stream(stream, {events_count - 1}, 1);
  return {stream, first->front().envelope.time, last->front().envelope.time};
}

// `look(n)` is timed `times` times, n being evenly random in [from, to].
template <class Look>
void print_times(const std::string& name, std::size_t times, std::int64_t from, std::int64_t to,
                 Look look) {
  std::mt19937_64 random{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> any{from, to};
  std::vector<double> us;
  for (std::size_t i = 0; i < times; ++i) {
    const auto n = any(random);
    const auto began = steady::now();
    look(n);
    us.push_back(us_since(began));
  }
  const auto found = spread::of(us);
  print_row(
      "time_travel", name,
      {{"p50_ms", found.p50 / 1e3}, {"p99_ms", found.p99 / 1e3}, {"max_ms", found.max / 1e3}});
}

void print_inspect(const journal& from, const history& of, std::size_t times) {
  const auto fold = [&](const inspect::fold_until& until) {
    auto folded = inspect::state_at(from, of.stream, until);
    if (!folded) fail(folded.error().message);
    return std::move(*folded);
  };
  print_times("state at any version, of 100000 events", times, 1, events_count, [&](auto version) {
    const stream_version wanted{static_cast<std::uint64_t>(version)};
    if (fold({wanted, {}}).version != wanted) fail("not the version that was asked for");
  });
  print_times("state at any time, of 100000 events", times, to_us(of.first), to_us(of.last),
              [&](auto us) {
                if (fold({{}, from_us(us)}).time > from_us(us)) fail("later than was asked for");
              });
}

void print_kernel(const journal& log, const history& of, std::size_t times) {
  print_times(
      "from the nearest snapshot, in the server", times, 1, events_count, [&](auto version) {
        const stream_version wanted{static_cast<std::uint64_t>(version)};
        const auto read = actors::load_stream<environment::aggregate>(log, of.stream, wanted);
        if (!read || read->version != wanted) fail("not the version that was asked for");
      });
}

}  // namespace

int main(int argc, char** argv) {
  const invocation run{argc, argv, "time-travel-bench"};
  const auto times = run.of(100, 20);
  bench_kernel kernel{run.dir};
  const auto of = make_history(kernel);
  const auto began = steady::now();
  const auto reader = open_reader(engine_in(run.dir));
  if (!reader) fail(reader.error().message);
  print_row("time_travel", "open the directory beside the server", {{"ms", us_since(began) / 1e3}});
  print_inspect((*reader)->journal(), of, times);
  print_kernel(kernel.engine().journal(), of, times);
}
