// Keys of log/ and state/: numbers big endian, so that byte order is their order.
//
//   log/    column family `log`      BE64 offset -> sealed record
//           default column family    "format", "epoch", "loss/" BE64 time -> meta
//   state/  c name 0 BE32 generation BE32 partition -> BE64 offset        view checkpoint
//           d uuid(16) BE64 hash of the account     -> BE64 time, BE64 place    deduplication
//           i stream 0 BE64 last version BE64 offset -> block of places   stream index
//           l name                                  -> BE32               live generation of a view
//           m …                                                           marks of the index and of
//           snapshots n name                         -> a note (note_store.hpp) p stream 0 BE64
//           upto                    -> snapshot v name 0 BE32 generation row key        -> row
//   replica/ (of a Kafka journal): as state/, and
//           m partition BE32                        -> partition_state
//           r BE32 partition BE64 sequence          -> sealed record
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/endian/conversion.hpp>

#include "events/core/ids.hpp"
#include "projections/view_store.hpp"

namespace berth::keys {

enum class table : char {
  view_checkpoint = 'c',
  command = 'd',
  stream_index = 'i',
  live_view = 'l',
  mark = 'm',
  note = 'n',
  snapshot = 'p',
  record = 'r',
  view_row = 'v'
};

inline void put64(std::string& to, std::uint64_t value) {
  unsigned char bytes[8];
  boost::endian::store_big_u64(bytes, value);
  to.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

inline void put32(std::string& to, std::uint32_t value) {
  unsigned char bytes[4];
  boost::endian::store_big_u32(bytes, value);
  to.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

// `from` must hold the bytes.
inline std::uint64_t get64(std::string_view from, std::size_t at = 0) {
  return boost::endian::load_big_u64(reinterpret_cast<const unsigned char*>(from.data()) + at);
}
inline std::uint32_t get32(std::string_view from, std::size_t at = 0) {
  return boost::endian::load_big_u32(reinterpret_cast<const unsigned char*>(from.data()) + at);
}

inline std::string number(std::uint64_t value) {
  std::string key;
  put64(key, value);
  return key;
}

// A position in 64 bits: partition 0, the embedded engine's only one, is the offset itself.
inline constexpr unsigned place_offset_bits = 48;
inline std::uint64_t place_of(position at) {
  return std::uint64_t{at.partition} << place_offset_bits | at.offset;
}
inline position position_of(std::uint64_t place) {
  return {static_cast<std::uint32_t>(place >> place_offset_bits),
          place & ((std::uint64_t{1} << place_offset_bits) - 1)};
}

// All keys of one name in a table start with this and no others.
inline std::string prefix_of(table in, std::string_view name) {
  std::string key(1, static_cast<char>(in));
  key.append(name).push_back('\0');
  return key;
}

// The first key behind every key that starts with `prefix`. The prefix must not be all 0xFF.
inline std::string end_of(std::string prefix) {
  while (static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  ++prefix.back();
  return prefix;
}

inline std::string generation_prefix(table in, const view_generation& of) {
  auto key = prefix_of(in, of.name);
  put32(key, of.generation);
  return key;
}

inline std::string note_key(const std::string& name) {
  return static_cast<char>(table::note) + name;
}

inline std::string checkpoint_key(const view_generation& of, std::uint32_t partition) {
  auto key = generation_prefix(table::view_checkpoint, of);
  put32(key, partition);
  return key;
}

}  // namespace berth::keys
