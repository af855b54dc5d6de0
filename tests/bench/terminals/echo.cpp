// Keys: their echo on an idle machine, beside floods, and ^C under one.
#include "tests/bench/terminals/scenarios.hpp"

namespace berth::bench {
namespace {

// As much as a PTY gives: text, and no output processing.
open_terminal open_flood(bench_client& client) {
  const auto text = client.make_text(16 << 20);
  return client.open("stty raw -echo; while cat " + text + "; do :; done");
}

void flood_is_on(open_terminal& flood) {
  flood.screen->wait([](const shown& now) { return now.end() > 1'000'000; });
}

boost::json::object echo_during(open_terminal& quiet, open_terminal& flood, int keys) {
  flood_is_on(flood);
  const auto before = flood.screen->end();
  const auto start = steady::now();
  auto figures = echo_times(quiet, keys);
  figures["flood_mb_per_second"] =
      static_cast<double>(flood.screen->end() - before) / us_since(start);
  return figures;
}

}  // namespace

void echo(const settings& with, const report& row) {
  bench_client client{with.server};
  auto cat = client.raw_cat();
  (void)echo_times(cat, 50);
  const int keys = with.of(1'000, 300);
  const auto before = with.process.cpu();
  auto figures = echo_times(cat, keys);
  figures["cpu_us_a_key"] = (with.process.cpu().seconds - before.seconds) * 1e6 / keys;
  row("echo", figures);
}

void echo_beside_flood(const settings& with, const report& row) {
  const int keys = with.of(1'000, 300);
  bench_client client{with.server};
  auto quiet = client.raw_cat();
  {
    auto flood = open_flood(client);
    row("echo beside a flood, one socket", echo_during(quiet, flood, keys));
    // Nobody looks any more: it would go on at full speed.
    client.ask("DELETE", "/api/v1/terminals/" + flood.id);
  }
  bench_client neighbour{with.server};
  auto flood = open_flood(neighbour);
  row("echo beside a flood, another environment", echo_during(quiet, flood, keys));
}

// ^C under `yes` while the client reads 8 MB/s: to the prompt on the client's screen.
void interrupt(const settings& with, const report& row) {
  bench_client client{with.server};
  auto shell = client.open("exec bash --norc -i");
  shell.screen->wait([](const shown& now) { return now.end() > 0; });
  shell.handle->input("PS1='READY> '\r");
  shell.screen->pace(8e6);
  std::vector<double> us;
  std::uint64_t bytes_after = 0;
  for (int i = with.of(100, 5); i > 0; --i) {
    shell.screen->wait([](const shown& now) { return now.tail().ends_with("READY> "); });
    const auto from = shell.screen->end();
    shell.handle->input("yes\r");
    shell.screen->wait([from](const shown& now) { return now.end() > from + 1'500'000; });
    const auto before = shell.screen->end();
    const auto start = steady::now();
    shell.handle->input("\x03");
    shell.screen->wait([](const shown& now) { return now.shows("READY> "); });
    us.push_back(us_since(start));
    bytes_after = std::max(bytes_after, shell.screen->end() - before);
  }
  auto figures = figures_of(std::move(us));
  figures["bytes_after_max"] = bytes_after;
  figures["lost"] = shell.screen->holes();
  row("^C under a flood", figures);
}

}  // namespace berth::bench
