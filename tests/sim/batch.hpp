// Runs universes in processes of their own, so that one that aborts or hangs is a finding like any
// other and the next seed goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/universe.hpp"

namespace berth::sim {

struct finding {
  std::uint64_t seed{};
  std::string what;
};

struct batch {
  std::uint64_t first{};
  std::uint64_t seeds{};
  unsigned jobs{1};
  unsigned findings_max{3};  // then it stops
  std::string mutant;        // the bug that is switched on; empty: none
  unsigned gateway_in{universe_options{}.gateway_in};
};

struct batch_result {
  universe_stats all;
  std::uint64_t seeds_run{};
  std::vector<finding> findings;
};

batch_result run_batch(const batch& wanted);

// One universe in a process of its own: what was broken, or nothing.
std::optional<std::string> run_isolated(const universe_options& options, const std::string& mutant);

// The same, printing its trace as it ends or dies.
void print_isolated(const universe_options& options, const std::string& mutant);

// The smallest version of a failing universe that still fails, found with at most `runs_max` tries.
universe_options shrink(universe_options failing, const std::string& mutant, unsigned runs_max);
// The arguments that replay it.
std::string arguments_of(const universe_options& options);

}  // namespace berth::sim
