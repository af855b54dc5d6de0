// Connections that end and come back: cut, away for long, and a server that is killed.
#include <thread>

#include "tests/bench/terminals/scenarios.hpp"
#include "tests/support/cuttable_proxy.hpp"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

// 200 lines a second, each known by its number.
const std::string counted_lines =
    "exec perl -e '$| = 1; use Time::HiRes qw(sleep); for (1..2000) { printf \"%09d\\n\", $_; "
    "sleep 0.005 }'";

bool is_counted(const std::string& lines) {
  std::string wanted;
  char line[16];
  for (int number = 1; wanted.size() < lines.size(); ++number) {
    std::snprintf(line, sizeof line, "%09d\n", number);
    wanted += line;
  }
  return wanted.compare(0, lines.size(), lines) == 0;
}

}  // namespace

// The socket is reset under 200 lines a second; the client connects again by itself, at once.
void dropped_socket(const settings& with, const report& row) {
  testing::cuttable_proxy proxy{with.server.port};
  auto through = with.server;
  through.port = proxy.port();
  bench_client client{through};
  auto lines = client.open("stty raw -echo; " + counted_lines, {.keeps = true});
  std::vector<double> us;
  for (int i = with.of(50, 10); i > 0; --i) {
    const auto from = lines.screen->end();
    lines.screen->wait([from](const shown& now) { return now.end() > from + 100; });
    const auto cut_at = lines.screen->end();
    const auto start = steady::now();
    proxy.cut();
    lines.screen->wait([cut_at](const shown& now) { return now.end() > cut_at + 20; });
    us.push_back(us_since(start));
  }
  auto figures = figures_of(std::move(us));
  figures["exact"] = is_counted(lines.screen->kept()) && !lines.screen->holes();
  row("socket cut to the next output", figures);
}

// 20 MB are printed while nobody looks.
void output_while_away(const settings& with, const report& row) {
  const auto bytes = static_cast<std::uint64_t>(with.of(20, 5)) * 1'000'000;
  bench_client client{with.server};
  const auto terminal =
      client.make_terminal("stty raw -echo; yes 'a line of what was printed' | head -c " +
                           std::to_string(bytes) + "; printf 'READY> '; exec cat");
  const auto printed = [&] {
    const auto answer = client.get("/api/v1/terminals/" + terminal + "/output?limit=1&from=0");
    return std::stoull(answer.headers.at("berth-durable-offset"));
  };
  while (printed() < bytes) std::this_thread::sleep_for(20ms);
  const auto paint = [&] {
    bench_client returning{with.server};
    const auto start = steady::now();
    auto painted = returning.view(terminal, {.exact = false, .drive = false});
    painted.screen->wait([](const shown& now) { return now.shows("READY> "); });
    return us_since(start);
  };
  const auto at_once_us = paint();  // the emulator may still be behind
  std::vector<double> us;
  for (int i = with.of(20, 5); i > 0; --i) us.push_back(paint());
  const auto start = steady::now();
  auto all = client.view(terminal, {.window_bytes = 1 << 20, .drive = false});
  all.screen->wait([bytes](const shown& now) { return now.end() >= bytes + 7; });
  auto figures = figures_of(std::move(us));
  figures["at_once_us"] = at_once_us;
  figures["backfill_mb_per_second"] = static_cast<double>(bytes) / us_since(start);
  figures["complete"] = !all.screen->holes();
  row("output while away to the prompt painted", figures);
}

// Whoever started this program kills the server and starts it again, within 20 s.
void through_sigkill(const settings& with, const report& row) {
  bench_client client{with.server};
  auto lines = client.open("stty raw -echo; " + counted_lines, {.keeps = true});
  lines.screen->wait([](const shown& now) { return now.end() > 1'000; });
  row("ready to be killed", {});
  auto silent_us = 0.0;
  while (silent_us < 50e3) {  // 200 lines a second: this is not one of the pauses between them
    std::this_thread::sleep_for(1ms);
    silent_us = us_since(lines.screen->last_output());
  }
  const auto before = lines.screen->last_output();
  const auto from = lines.screen->end();
  lines.screen->wait([from](const shown& now) { return now.end() > from; });
  const auto gap_ms = us_since(before) / 1e3;
  lines.screen->wait([](const shown& now) { return now.over(); });
  row("SIGKILL and restart", {{"ms_without_output", gap_ms},
                              {"exact", lines.screen->end() == 20'000 && !lines.screen->holes() &&
                                            is_counted(lines.screen->kept())}});
}

}  // namespace berth::bench
