// What a journal says of every stream, in one hash each: equal in two journals if and only if each
// stream has the same commits in the same order, and so the same state.
#pragma once

#include <unordered_map>

#include "events/core/commit.hpp"
#include "events/core/journal.hpp"

namespace berth::replay {

struct stream_hashes {
  std::unordered_map<stream_id, chain_hash> of;
  std::uint64_t commits{};
  std::uint64_t events{};
};
// Reads all of it. Bodies are hashed as this build writes them.
journal_result<stream_hashes> hash_streams(const journal& from);
// Streams that only one has, or that differ, by name; at most `limit`.
std::vector<std::string> differences(const stream_hashes& a, const stream_hashes& b,
                                     std::size_t limit);

}  // namespace berth::replay
