// Row keys: parts joined by '/'. Numbers are fixed-width hex, so that keys sort as the numbers do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::keys {

inline std::string hex(std::uint64_t value) {
  std::string out(16, '0');
  for (auto it = out.rbegin(); value != 0; ++it, value >>= 4) *it = "0123456789abcdef"[value & 15];
  return out;
}

inline std::uint64_t parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text)
    value = (value << 4) | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  return value;
}

// Times are never before the epoch.
inline std::string hex(timestamp t) {
  return hex(static_cast<std::uint64_t>(to_us(t)));
}

template <class... Parts>
std::string join(std::string_view first, const Parts&... parts) {
  std::string out{first};
  ((out += '/', out += parts), ...);
  return out;
}

// The prefix of all keys below the parts.
template <class... Parts>
std::string below(std::string_view first, const Parts&... parts) {
  return join(first, parts...) + '/';
}

// Partition before offset: the positions of a partition are a range of keys, in their order.
inline std::string of_partition(std::uint32_t partition) {
  return hex(partition).substr(8);
}
inline std::string of(position at) {
  return of_partition(at.partition) + hex(at.offset);
}
inline position parse_position(std::string_view key) {
  if (key.size() != 24) return {};
  return {static_cast<std::uint32_t>(parse_hex(key.substr(0, 8))), parse_hex(key.substr(8))};
}
// The order of all partitions, by commit time; within one partition, where it never decreases, by
// offset.
inline std::string newest_first(timestamp committed, position at) {
  return hex(~static_cast<std::uint64_t>(to_us(committed))) + hex(~at.offset) +
         of_partition(at.partition);
}

}  // namespace berth::keys
