// Clients and views of the simulator alone: the server they talk to crashes, and nothing else goes
// wrong with it. For work on the gateway; berth_sim runs them among everything else.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "events/core/mutants.hpp"
#include "tests/sim/wire_clients.hpp"

namespace berth::sim {
namespace {

kernel_limits small_limits() {
  kernel_limits limits;
  limits.snapshot_every_events = 8;
  limits.terminal_hot_bytes_max = 4096;
  limits.terminal_free_window_bytes = 64 * 1024;
  limits.terminal_pump_bytes_max = 2048;
  limits.screen_lag_bytes_max = 2048;
  return limits;
}

struct wire_universe {
  explicit wire_universe(std::uint64_t seed) : server{seed, small_limits()} {}

  std::optional<std::string> run() {
    const auto pick = [this](std::size_t of) { return std::size_t{server.random() % of}; };
    const auto rounds = 30 + pick(60);
    for (std::size_t round = 0; round < rounds && !broken(); ++round) {
      for (auto i = 1 + pick(4); i > 0; --i) clients.act();
      for (auto i = pick(80); i > 0; --i) server.step();
      if (pick(3) == 0) server.pass(std::chrono::milliseconds{pick(4000)});
      if (pick(60) == 0) views.rebuild_soon();
      if (pick(25) != 0) continue;
      ++crashes;
      server.crash(pick(2) == 0);
      if (pick(8) == 0) server.host.reboot();
      server.boot();
    }
    (void)clients.finish();
    (void)views.finish();
    return broken();
  }
  std::optional<std::string> broken() const {
    return clients.broken() ? clients.broken() : views.broken();
  }

  testing::simulated_server server;
  sim_views views{server};
  wire_clients clients{server, views, 3};
  std::uint64_t crashes{};
};

}  // namespace
}  // namespace berth::sim

int main(int argc, char** argv) {
  std::uint64_t seeds = 100, first = std::random_device{}();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--from") == 0) first = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--mutant") == 0 && !berth::switch_on_mutant(argv[i + 1])) return 2;
    if (std::strcmp(argv[i], "--seed") == 0)
      first = std::strtoull(argv[i + 1], nullptr, 10), seeds = 1;
  }
  berth::sim::wire_stats all;
  berth::sim::view_stats views;
  std::uint64_t failed = 0, crashes = 0;
  const auto began = std::chrono::steady_clock::now();
  for (auto seed = first; seed < first + seeds; ++seed) {
    berth::sim::wire_universe one{seed};
    if (const auto broken = one.run()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), broken->c_str());
      ++failed;
    }
    if (seed == first) {
      berth::sim::wire_universe again{seed};
      (void)again.run();
      if (again.clients.trace() != one.clients.trace())
        std::printf("seed %llu is not reproducible\n", static_cast<unsigned long long>(seed)),
            ++failed;
    }
    all += one.clients.stats();
    views += one.views.stats();
    crashes += one.crashes;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%llu universes from seed %llu, %.2f ms each: %llu crashes, %llu connections (%llu resumed), "
      "%llu cuts, %llu frames, %llu terminal bytes, %llu inputs, %llu requests, %llu feed events, "
      "%llu gaps, %llu commits folded, %llu bill lines, %llu checks; %llu failed\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(first),
      took.count() / static_cast<double>(seeds), static_cast<unsigned long long>(crashes),
      static_cast<unsigned long long>(all.connections),
      static_cast<unsigned long long>(all.resumes), static_cast<unsigned long long>(all.cuts),
      static_cast<unsigned long long>(all.frames), static_cast<unsigned long long>(all.bytes),
      static_cast<unsigned long long>(all.typed), static_cast<unsigned long long>(all.requests),
      static_cast<unsigned long long>(all.events), static_cast<unsigned long long>(all.gaps),
      static_cast<unsigned long long>(views.commits_folded),
      static_cast<unsigned long long>(views.bills),
      static_cast<unsigned long long>(all.checks + views.checks),
      static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
