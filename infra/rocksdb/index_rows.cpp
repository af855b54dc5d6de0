#include "infra/rocksdb/index_rows.hpp"

#include <algorithm>

#include "events/core/commit.hpp"
#include "infra/rocksdb/keys.hpp"

namespace berth::index_rows {
namespace {

void put_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

bool get_varint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

std::string block_key(const stream_id& stream, const stream_place& last) {
  auto key = keys::prefix_of(keys::table::stream_index, stream.text());
  keys::put64(key, last.last.value);
  keys::put64(key, last.offset);
  return key;
}

std::string block_of(const std::vector<stream_place>& places) {
  std::string row;
  stream_place before{};
  for (const auto& place : places) {
    put_varint(row, place.last.value - before.last.value);
    put_varint(row, place.offset - before.offset);
    before = place;
  }
  return row;
}

bool read_block(std::string_view row, std::vector<stream_place>& into) {
  stream_place place{};
  while (!row.empty()) {
    std::uint64_t versions, offsets;
    if (!get_varint(row, versions) || !get_varint(row, offsets)) return false;
    place.last.value += versions;
    place.offset += offsets;
    into.push_back(place);
  }
  return true;
}

std::string command_row_key(const command_key& command) {
  // The id first: ids that carry their time are written in order, and whole files leave the window
  // together.
  std::string key(1, static_cast<char>(keys::table::command));
  key.append(reinterpret_cast<const char*>(command.id.bytes.data()), command.id.bytes.size());
  keys::put64(key, content_hash(command.scope.value));
  return key;
}

std::string mark_row(const durable_mark& mark) {
  auto row = keys::number(mark.offset);
  row.append(reinterpret_cast<const char*>(mark.hash.data()), mark.hash.size());
  return row;
}

std::optional<durable_mark> read_mark(std::string_view row) {
  durable_mark mark;
  if (row.size() != 8 + mark.hash.size()) return std::nullopt;
  mark.offset = keys::get64(row);
  std::copy_n(row.data() + 8, mark.hash.size(), reinterpret_cast<char*>(mark.hash.data()));
  return mark;
}

}  // namespace berth::index_rows
