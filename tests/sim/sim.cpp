// Runs seeded universes and says what they did. A failing seed is printed with the command that
// replays it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/sim/universe.hpp"

int main(int argc, char** argv) {
  std::uint64_t seeds = 100;
  std::uint64_t first = std::random_device{}();
  bool replay = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--from") == 0) first = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) {
      first = std::strtoull(argv[i + 1], nullptr, 10);
      seeds = 1;
      replay = true;
    }
  }
  berth::sim::universe_stats all;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    berth::sim::universe universe{seed};
    if (replay) std::printf("replaying seed %llu\n", static_cast<unsigned long long>(seed));
    if (const auto broken = universe.run()) {
      std::printf("seed %llu: %s\n  replay: build/bin/berth_sim --seed %llu\n",
                  static_cast<unsigned long long>(seed), broken->c_str(),
                  static_cast<unsigned long long>(seed));
      ++failed;
    }
    // The same seed again must be the same universe, or a failure could not be replayed.
    if (seed == first) {
      berth::sim::universe again{seed};
      (void)again.run();
      if (again.trace() != universe.trace()) {
        std::printf("seed %llu is not reproducible\n", static_cast<unsigned long long>(seed));
        ++failed;
      }
    }
    all += universe.stats();
  }
  std::printf(
      "from seed %llu: %llu commands, %llu acknowledged, %llu retried, %llu crashes (%llu "
      "reboots), %llu faults, "
      "%llu terminal bytes, %llu checks\n",
      static_cast<unsigned long long>(first), static_cast<unsigned long long>(all.commands),
      static_cast<unsigned long long>(all.acknowledged),
      static_cast<unsigned long long>(all.retried), static_cast<unsigned long long>(all.crashes),
      static_cast<unsigned long long>(all.reboots), static_cast<unsigned long long>(all.faults),
      static_cast<unsigned long long>(all.terminal_bytes),
      static_cast<unsigned long long>(all.checks));
  std::printf("universes: %llu passed, %llu failed\n",
              static_cast<unsigned long long>(seeds - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
