// The unit of a bulk segment: what one append brought, at most 64 KiB of it, with its place, time
// and checksum.
//
//   magic "BRB1" (4)  size (4)  offset (8)  time_us (8)  CRC-32C (4)  zero (4)  data (size) little
//   endian
//
// The checksum covers the terminal's name, the first 24 bytes and the data, so that a file of
// another terminal is noticed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth {

struct block {
  static constexpr std::size_t head_bytes = 32;
  static constexpr std::size_t data_bytes_max = 64 * 1024;

  std::uint64_t offset{};
  timestamp time{};
  std::string_view data;

  std::uint64_t end() const { return offset + data.size(); }
};

// What the checksums of one terminal start from.
std::uint32_t block_seed(const terminal_id& terminal);

void append_block(std::string& to, std::uint32_t seed, const block& added);

enum class block_check : std::uint8_t { whole, head_only };
// The block at the beginning of `bytes`, pointing into it; nothing if it is cut, damaged or of
// another terminal. head_only looks at the fields alone and does not need the data to be there.
std::optional<block> read_block(std::string_view bytes, std::uint32_t seed, block_check how);
// Size of the data of the block whose head is at the beginning of `bytes`; nothing if that is no
// head.
std::optional<std::size_t> block_data_size(std::string_view bytes);

}  // namespace berth
