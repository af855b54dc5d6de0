// Which partition of a journal a stream belongs to, and which node should lead it. Pure; any
// thread.
//
// A cluster's nodes are numbered 0, 1, 2 … (ordinals). Every partition is at home at one ordinal:
// what the environments of that partition want of the world is done on that node's machine. While a
// node is present it leads its own partitions; the others share those of nodes that are not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "events/core/ids.hpp"

namespace berth {

// CRC-32C of the stream's name, modulo the number of partitions. Written down in every log of
// several partitions: it never changes, and neither does a log's number of partitions.
std::uint32_t partition_of(const stream_id& stream, std::uint32_t partitions);

inline constexpr std::uint32_t ordinals_max = 16;

// Of how many ordinals a log of so many partitions has room for: every one is home to some.
std::uint32_t home_count(std::uint32_t partitions);
// Ids are made for it (derived_id_at), so this never changes either.
std::uint32_t home_of(std::uint32_t partition, std::uint32_t partitions);
std::uint32_t home_of(const stream_id& stream, std::uint32_t partitions);

// Of the nodes present, in ascending order, the one that should lead: the one at home, else the
// same one for as long as it is there (rendezvous hashing). Nothing if nobody is.
std::optional<std::uint32_t> leader_among(std::span<const std::uint32_t> present,
                                          std::uint32_t partition, std::uint32_t partitions);

// As derived_id, and of all ids that may be derived, the first whose stream is at home at `home`.
std::string derived_id_at(std::uint32_t home, std::uint32_t partitions, aggregate_kind kind,
                          std::string_view prefix, std::string_view account,
                          const command_id& command);

}  // namespace berth
