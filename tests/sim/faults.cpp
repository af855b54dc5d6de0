#include "tests/sim/faults.hpp"

#include <algorithm>
#include <numeric>

namespace berth::sim {

std::string_view name_of(fault kind) {
  static constexpr std::array<std::string_view, fault_kinds> names{
      "lost_writes",     "torn_writes",       "reordered_writes",  "bit_rot",
      "stale_record",    "snapshot_rot",      "full_disk",         "sync_error",
      "slow_sync",       "slow_bulk",         "calls_refused",     "calls_hang",
      "answers_lost",    "calls_repeated",    "answers_reordered", "agent_killed",
      "launcher_lost",   "stale_loss",        "output_repeated",   "output_skipped",
      "killed",          "power_cut",         "clock_forward",     "clock_back",
      "answers_dropped", "commands_repeated", "connections_cut",   "overload"};
  return names[static_cast<std::size_t>(kind)];
}

fault_plan::fault_plan(std::uint64_t seed, std::uint32_t off) : random_{seed ^ 0xFA017ULL} {
  constexpr auto all = (std::uint32_t{1} << fault_kinds) - 1;
  on_ = static_cast<std::uint32_t>(random_()) & all;
  // A universe in which nothing ever dies shows little: one way to die is always on.
  if (!on(fault::killed) && !on(fault::power_cut))
    on_ |= std::uint32_t{1} << index(random_.one_in(2) ? fault::killed : fault::power_cut);
  on_ &= ~off;
}

std::uint64_t fault_plan::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}
std::uint64_t fault_plan::kinds() const {
  return static_cast<std::uint64_t>(
      std::count_if(counts_.begin(), counts_.end(), [](auto count) { return count > 0; }));
}

}  // namespace berth::sim
