// The kinds of fault a universe may meet. In swarm mode each universe switches a random half of
// them on: some bugs need a fault to be rare, some need it to be absent.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/seeded_random.hpp"

namespace berth::sim {

enum class fault : std::uint8_t {
  // of the disk
  lost_writes,       // a power cut takes unsynced writes
  torn_writes,       // … or a part of one
  reordered_writes,  // … or an earlier one and not a later one
  bit_rot,           // a stored bit flips
  stale_record,      // an old write comes back in a record's place
  snapshot_rot,      // snapshots vanish or are damaged
  full_disk,         // nothing can be written
  sync_error,        // a sync fails: the process must end
  slow_sync,
  slow_bulk,
  // of host and agents
  calls_refused,
  calls_hang,
  answers_lost,    // done, but the answer never comes
  calls_repeated,  // done twice
  answers_reordered,
  agent_killed,
  launcher_lost,
  stale_loss,       // an old loss is told again
  output_repeated,  // the agent's connection breaks: bytes come twice
  output_skipped,   // … or late
  // of the machine
  killed,
  power_cut,
  clock_forward,
  clock_back,
  // of clients and their network
  answers_dropped,
  commands_repeated,
  connections_cut,
  overload,
};
inline constexpr std::size_t fault_kinds = 28;
static_assert(static_cast<std::size_t>(fault::overload) + 1 == fault_kinds);
std::string_view name_of(fault kind);

class fault_plan {
 public:
  // Kinds in `off` stay off whatever the seed says.
  fault_plan(std::uint64_t seed, std::uint32_t off);

  bool on(fault kind) const { return (on_ >> index(kind) & 1) != 0; }
  // One in `n` times, if it is on: counts it.
  bool strikes(fault kind, std::size_t n) {
    if (!on(kind) || quiet_ || !random_.one_in(n)) return false;
    count(kind);
    return true;
  }
  void count(fault kind) { ++counts_[index(kind)]; }
  void quieten() { quiet_ = true; }  // no more of them
  testing::seeded_random& random() { return random_; }
  std::uint32_t mask() const { return on_; }

  std::uint64_t total() const;
  std::uint64_t kinds() const;  // that struck at least once
  const std::array<std::uint64_t, fault_kinds>& counts() const { return counts_; }

 private:
  static std::size_t index(fault kind) { return static_cast<std::size_t>(kind); }

  testing::seeded_random random_;
  std::uint32_t on_{};
  bool quiet_{};
  std::array<std::uint64_t, fault_kinds> counts_{};
};

}  // namespace berth::sim
