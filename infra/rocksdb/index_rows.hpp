// The rows of the stream index and of deduplication in state/.
//
//   block: varints, a pair a commit: version - the one before, offset - the one before; the first
//   pair from 0.
// A hot stream's commits of one index write share a row: one row a commit costs four times the log
// itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infra/memory/commit_index.hpp"
#include "infra/rocksdb/head_file.hpp"

namespace berth::index_rows {

inline constexpr std::size_t block_places_max = 512;

std::string block_key(const stream_id& stream, const stream_place& last);
std::string block_of(const std::vector<stream_place>& places);
bool read_block(std::string_view row, std::vector<stream_place>& into);

std::string command_row_key(const command_key& command);

std::string mark_row(const durable_mark& mark);
std::optional<durable_mark> read_mark(std::string_view row);

}  // namespace berth::index_rows
