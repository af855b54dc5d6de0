// Which snapshots of a stream are worth keeping: the newest, and one for every doubling of the
// distance behind it, so that any past state is at most twice as far from a snapshot as it is from
// the present.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace berth {

// `uptos` in ascending order; returns those to drop, ascending.
inline std::vector<std::uint64_t> snapshots_to_drop(const std::vector<std::uint64_t>& uptos) {
  std::vector<std::uint64_t> dropped;
  for (std::size_t i = 0; i + 1 < uptos.size(); ++i) {
    const auto rung = [&](std::size_t n) { return std::bit_width(uptos.back() - uptos[n]); };
    if (i > 0 && rung(i - 1) == rung(i)) dropped.push_back(uptos[i]);
  }
  return dropped;
}

}  // namespace berth
