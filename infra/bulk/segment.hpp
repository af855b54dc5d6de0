// One segment file of a terminal's bytes, raw or compressed, and how its blocks are read.
//
//   raw: blocks, one after the other.      zst: frames, each of whole blocks, about 64 KiB before
//   compression: magic "BRZ1" (4)  CRC-32C (4)  first offset (8)  end offset (8)  raw size (4)
//   stored size (4)  zstd data The frame's checksum covers the terminal's name, the 24 bytes behind
//   it and the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/journal_error.hpp"
#include "infra/bulk/block.hpp"
#include "infra/bulk/file.hpp"

namespace berth {

struct segment {
  enum class form : std::uint8_t { raw, compressed };
  static constexpr std::size_t signpost_distance_bytes = 64 * 1024;

  // Where the block of an offset begins, every 64 KiB of a raw file.
  struct signpost {
    std::uint64_t offset{};
    std::uint64_t at{};
  };

  std::filesystem::path path;
  form stored{};
  std::uint64_t first{};
  std::uint64_t end{};
  std::vector<signpost> signposts;  // raw only; may be empty

  static std::filesystem::path open_name(std::uint64_t first);
  static std::filesystem::path closed_name(std::uint64_t first, std::uint64_t end, form stored);
  // Nothing if the name is not a segment's; `end` is 0 in the name of the open one.
  static std::optional<segment> of_name(const std::filesystem::path& path);
};

using block_visitor = std::function<void(const block&)>;

// Calls `visit` for every block that holds a byte of [from, to), checked, in order. `corrupt` names
// file and offset; `not_found` if the file is gone (it was compressed or dropped meanwhile).
std::optional<journal_error> visit_blocks(const segment& in, std::uint32_t seed, std::uint64_t from,
                                          std::uint64_t to, const block_visitor& visit);

// Writes the compressed form of a closed raw segment to `path`, synced.
std::optional<journal_error> compress(const segment& raw, std::uint32_t seed,
                                      const std::filesystem::path& path);

}  // namespace berth
