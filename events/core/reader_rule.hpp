// What a log that several nodes may write to says: the rule by which every reader (node, analyst,
// tool) decides which of its records count. All readers of the same records decide alike, so the
// log itself is the lock and a paused leader that wakes up changes nothing.
//
//   offset  0      1     2     3      4     5     6      7     8
//          [L1 a] [a 1] [a 2] [L2 b] [a 3] [b 3] [L2 c] [b 3] [b 4]
//           taken  ok    ok    taken  void  ok    void   void  ok     -> applied: a1 a2 b3 b4
//
//  R1  A Lead is taken if and only if its epoch is the current one + 1: the first in the log wins,
//      any other Lead of that epoch is void and its writer steps down.
//  R2  A commit is applied if and only if its epoch and nonce are the current leader's, its
//  sequence
//      is the last applied + 1 and its first version follows its stream's last.
//  R3  Everything else is skipped and counted, by reason. Damage is not skipped: a record that says
//      it is ours and whose checksum or chain link is wrong is `corrupt`, and nothing behind it is
//      read.
//
// The sequence is what the rest of Berth calls the offset of a commit: 1, 2, 3 … without a gap in
// its partition, whatever lies between in the log. Pure; any thread. Source: Restate's
// AnnounceLeader and (epoch, sequence) deduplication.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "events/core/commit.hpp"
#include "events/core/lead.hpp"

namespace berth {

// What is known of a partition behind the records read so far; kept with what they were applied to.
struct partition_state {
  std::uint32_t partition{};
  leadership leader;            // {0, 0}: none yet
  std::uint64_t sequence{};     // of the last applied commit
  chain_hash hash{};            // of it
  timestamp time;               // of it
  std::uint64_t next_offset{};  // in the log: everything before it was judged
  bool operator==(const partition_state&) const = default;
};

// Fixed size, little endian, as kept beside what was applied.
std::string encode_partition_state(const partition_state& state);
std::optional<partition_state> decode_partition_state(std::string_view bytes);

enum class verdict : std::uint8_t {
  applied,
  lead_taken,
  // Skipped:
  void_lead,      // of an epoch that is not the next
  other_leader,   // a commit of somebody who does not lead (any more)
  repeated,       // a sequence that was applied before
  out_of_order,   // a sequence that is not the next
  wrong_version,  // not the next version of its stream
  foreign,        // not a record of Berth's, or of another partition
};
const char* name_of(verdict what);
inline constexpr std::size_t verdict_count = 8;

struct judgement {
  verdict what{};
  std::optional<commit> applied;
  std::optional<lead> taken;  // or void
};

// Last version of a stream behind everything applied so far.
using version_of_stream = std::function<journal_result<stream_version>(const stream_id&)>;

// Judges the record at `offset` of the log, and moves `state` behind it. After an error (R3, or of
// `last_version`) `state` is as it was. No `last_version`: the versions are not looked at (the
// chain alone proves that nothing is missing).
journal_result<judgement> judge(partition_state& state, std::string_view record,
                                std::uint64_t offset, const version_of_stream& last_version);

}  // namespace berth
