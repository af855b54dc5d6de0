// Which snapshots of a stream are worth keeping: the newest, one for every doubling of the distance
// behind it, and so many that no past state is more than snapshot_gap_events_max events and one
// interval of snapshots away from one below it.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace berth {

inline constexpr std::uint64_t snapshot_gap_events_max = 4096;
// What lies further back was settled by earlier calls and need not be looked at again.
inline constexpr std::uint64_t snapshot_ladder_events = 4 * snapshot_gap_events_max;

// `uptos` in ascending order; returns those to drop, ascending.
inline std::vector<std::uint64_t> snapshots_to_drop(const std::vector<std::uint64_t>& uptos) {
  std::vector<std::uint64_t> dropped;
  const auto rung = [&](std::uint64_t upto) { return std::bit_width(uptos.back() - upto); };
  std::uint64_t kept = uptos.empty() ? 0 : uptos.front();
  for (std::size_t i = 1; i + 1 < uptos.size(); ++i) {
    if (rung(uptos[i - 1]) == rung(uptos[i]) && uptos[i + 1] - kept <= snapshot_gap_events_max)
      dropped.push_back(uptos[i]);
    else
      kept = uptos[i];
  }
  return dropped;
}

}  // namespace berth
