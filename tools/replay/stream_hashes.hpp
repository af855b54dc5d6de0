// What a journal says of every stream, in one hash each: equal in two journals if and only if each
// stream has the same commits in the same order, and so the same state.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "events/core/commit.hpp"
#include "events/core/journal.hpp"
#include "infra/kafka/kafka_options.hpp"

namespace berth::replay {

struct stream_hashes {
  std::unordered_map<stream_id, chain_hash> of;
  std::uint64_t commits{};
  std::uint64_t events{};
};
// Reads all of it. Bodies are hashed as this build writes them.
journal_result<stream_hashes> hash_streams(const journal& from);
// The same of what a topic holds now, by who reads it to its end and keeps nothing.
journal_result<stream_hashes> hash_topic(const kafka_options& kafka,
                                         const std::function<void(std::uint64_t)>& progress);
// Streams that only one has, or that differ, by name; at most `limit`.
std::vector<std::string> differences(const stream_hashes& a, const stream_hashes& b,
                                     std::size_t limit);

}  // namespace berth::replay
