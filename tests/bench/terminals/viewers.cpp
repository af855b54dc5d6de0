// One terminal, many who look: two of ten are slow, or one does not read at all.
#include <thread>

#include "infra/terminal/vterm_screen.hpp"
#include "tests/bench/terminals/scenarios.hpp"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

constexpr int viewers = 10, slow_ones = 2;

std::string numbered_lines(std::uint64_t bytes) {
  return "seq -f 'line %09.0f of the output' 1 " + std::to_string(bytes / 31);
}

std::string screen_after(const std::string& output) {
  const auto screen = make_vterm_screen(80, 24);
  screen->feed(output);
  return screen->snapshot();
}

// Seconds until everybody in `fast` has it all.
double seconds_to_end(std::vector<open_terminal>& fast, steady::time_point start) {
  for (auto& each : fast) each.screen->wait([](const shown& now) { return now.over(); });
  return seconds_since(start);
}

double alone(bench_client& client, std::uint64_t bytes) {
  std::vector<open_terminal> one;
  const auto start = steady::now();
  one.push_back(client.open("stty -onlcr; " + numbered_lines(bytes)));
  return seconds_to_end(one, start);
}

}  // namespace

void many_viewers(const settings& with, const report& row) {
  const auto bytes = static_cast<std::uint64_t>(with.of(16, 8)) << 20;
  bench_client client{with.server};
  const auto alone_s = alone(client, bytes);
  const auto terminal =
      client.make_terminal("stty -onlcr; read go; " + numbered_lines(bytes) + "; sleep 2");
  // Each on a socket of its own, as people are.
  std::vector<std::unique_ptr<bench_client>> people;
  std::vector<open_terminal> fast, slow;
  for (int i = 0; i < viewers; ++i) {
    auto& who = *people.emplace_back(std::make_unique<bench_client>(with.server));
    const bool is_slow = i < slow_ones;
    auto view = who.view(terminal, {.exact = !is_slow, .drive = false, .keeps = true});
    if (is_slow) view.screen->pace(i == 0 ? 1e6 : 20e3);  // one reads 1 MB/s, one next to nothing
    (is_slow ? slow : fast).push_back(std::move(view));
  }
  auto driver = client.view(terminal);
  const auto cpu = with.process.cpu().seconds;
  const auto start = steady::now();
  driver.handle->input("\n");
  const auto seconds = seconds_to_end(fast, start) - 2;
  const auto used = with.process.cpu().seconds - cpu;
  std::uint64_t delivered = 0, complete = 0, gaps = 0, right_screens = 0, with_holes = 0;
  std::uint64_t least_kept = ~0ULL;
  for (auto& each : fast) {
    delivered += each.screen->end();
    with_holes += each.screen->holes();
    least_kept = std::min<std::uint64_t>(least_kept, each.screen->kept().size());
    complete += each.screen->kept() == fast[0].screen->kept() && !each.screen->holes();
  }
  const auto right = screen_after(fast[0].screen->kept());
  for (auto& each : slow) {
    each.screen->pace(0);
    each.screen->wait([](const shown& now) { return now.over(); });
    gaps += each.screen->gaps();
    right_screens += !each.screen->holes() && screen_after(each.screen->kept()) == right;
  }
  row("10 viewers, 2 slow", {{"fast_complete", complete},
                             {"fast_with_holes", with_holes},
                             {"fast_bytes_missing", fast[0].screen->end() - least_kept},
                             {"slow_right_screen", right_screens},
                             {"slow_gaps", gaps},
                             {"slowdown", seconds / alone_s},
                             {"cpu_s_per_100_mb", used * 1e8 / static_cast<double>(delivered)}});
}

// The driver stops reading under `yes`: nothing may pile up.
void stalled_reader(const settings& with, const report& row) {
  bench_client client{with.server};
  auto flood = client.open("exec yes");
  flood.screen->wait([](const shown& now) { return now.end() > 4'000'000; });
  flood.screen->pace(1);  // the next chunk takes for ever
  std::this_thread::sleep_for(1s);
  const auto cpu = with.process.cpu();
  const auto resident = with.process.resident_kib();
  std::this_thread::sleep_for(4s);  // a driver that is silent for 5 s does not hold the program
  row("stalled reader, 4 s",
      {{"rss_growth_kib", static_cast<std::int64_t>(with.process.resident_kib()) -
                              static_cast<std::int64_t>(resident)},
       {"cpu_s", with.process.cpu().seconds - cpu.seconds}});
  flood.screen->pace(0);
}

}  // namespace berth::bench
