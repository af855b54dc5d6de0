// Whether snapshots are what the log gives: each stream's newest one against a fold of its events.
#pragma once

#include <utility>
#include <vector>

#include "events/core/journal.hpp"

namespace berth::inspect {

struct snapshot_report {
  std::uint64_t streams{};      // folded
  std::uint64_t snapshots{};    // compared
  std::uint64_t other_build{};  // of another fold version: not compared, nor used by this build
  // Those that are not what the events give, or of a version the log does not have.
  std::vector<std::pair<stream_id, stream_version>> different;
};

// One pass over the log (log_fold.hpp); errors as there.
journal_result<snapshot_report> compare_snapshots(const journal& from);

}  // namespace berth::inspect
