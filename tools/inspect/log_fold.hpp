// Every stream through its aggregate in one pass, as its commits come in the log: what recovery of
// everything from nothing gives. Two threads read and check ahead. Holds a state of every stream
// in memory.
#pragma once

#include <functional>
#include <unordered_map>

#include "tools/inspect/stream_fold.hpp"

namespace berth::inspect {

struct fold_told {
  using of_stream = std::function<void(const stream_id&, const folded_state&)>;
  // `at_stop` is told of the stream's state at that version, `at_end` of every stream's last one;
  // either may be empty.
  std::unordered_map<stream_id, stream_version> stops{};
  of_stream at_stop{};
  of_stream at_end{};
};

struct fold_total {
  std::uint64_t streams{};
  std::uint64_t events{};
};

// From the first commit to the present head. corrupt as fold_stream, or as journal::read.
journal_result<fold_total> fold_log(const journal& from, const fold_told& told = {});

}  // namespace berth::inspect
