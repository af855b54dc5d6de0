#include "tests/sim/mutant_run.hpp"

#include <algorithm>
#include <cstdio>

#include "events/core/mutants.hpp"
#include "tests/sim/batch.hpp"

namespace berth::sim {

int find_mutants(const std::vector<std::string>& names, std::uint64_t seeds_max, unsigned jobs) {
  int missed = 0;
  std::printf("%-36s %7s  %s\n", "mutant", "seed", "what was said");
  for (const auto name : mutant_names) {
    const bool is_wanted =
        names.empty() || std::find(names.begin(), names.end(), name) != names.end();
    if (name == "none" || !is_wanted) continue;
    const auto result = run_batch({1, seeds_max, jobs, 1, std::string{name}});
    const bool found = !result.findings.empty();
    missed += found ? 0 : 1;
    std::printf(
        "%-36s %7llu  %s\n", std::string{name}.c_str(),
        static_cast<unsigned long long>(found ? result.findings.front().seed : result.seeds_run),
        found ? result.findings.front().what.substr(0, 160).c_str() : "NOT FOUND");
    std::fflush(stdout);
  }
  std::printf("%d mutants were not found\n", missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace berth::sim
