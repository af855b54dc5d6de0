// DIR/head: the last durable position, written after every sync without a sync of its own. A log
// that ends before it has lost acknowledged commits. Two slots, written in turn: a torn write costs
// one slot.
//
//   slot at 0 and at 512:  magic "BRH1"  CRC-32C of what follows  write count (8)  offset (8) chain
//   hash (32)
//
// After kill -9 it is exact (page cache); after a power cut it may be older than the log, never
// newer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "events/core/commit.hpp"
#include "events/core/journal_error.hpp"

namespace berth {

struct durable_mark {
  std::uint64_t offset{};
  chain_hash hash{};  // of the record at `offset`; zero for 0
  bool operator==(const durable_mark&) const = default;
};

class head_file {
 public:
  // Nothing if there is no file; `corrupt` if no slot can be read.
  static journal_result<std::optional<durable_mark>> read(const std::filesystem::path& path);
  // Opens for writing, creating and syncing a new one. `first` is written at once, to both slots.
  static journal_result<head_file> open(const std::filesystem::path& path,
                                        const durable_mark& first);

  head_file(head_file&& other) noexcept;
  head_file& operator=(head_file&& other) noexcept;
  ~head_file();

  // About a microsecond; errors are not lost data and are returned for the log only.
  std::optional<journal_error> write(const durable_mark& mark);
  std::optional<journal_error>
  sync();  // for those who must not fall back to an older mark after a power cut

 private:
  head_file(int fd, std::filesystem::path path) : fd_{fd}, path_{std::move(path)} {}

  int fd_{-1};
  std::filesystem::path path_;
  std::uint64_t writes_{};
};

}  // namespace berth
