// The mutation proof: every planted bug (events/core/mutants.hpp) must be found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::sim {

// Runs each of them, or those named, over at most `seeds_max` universes and prints a table of the
// seeds needed and what was said. 1 if one was not found.
int find_mutants(const std::vector<std::string>& names, std::uint64_t seeds_max, unsigned jobs);

}  // namespace berth::sim
