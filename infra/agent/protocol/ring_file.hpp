// The output of one terminal that the server has not stored yet: a bounded circular file, written
// by the agent, read by the host if the agent died. Byte `offset` of the terminal lives at data
// position offset % capacity.
//
//   |<- header 4 KiB ->|<------------- data, capacity bytes, sparse ------------->|
//   magic, capacity,    ...... base ############ end ......        end - base <= capacity
//   base, end, ended
//
// The agent maps the file shared and stores `end` after the bytes, so that what a reader finds
// below `end` is there even if the agent was killed between two instructions. It survives the
// agent, not the machine: a file of another boot is refused, because pages may be missing in its
// middle. Disk space is taken in chunks before they are written (a full disk makes writable()
// empty, never a SIGBUS) and given back when asked: a program that goes on printing needs it again
// at once. Errors: errno values. Threads: one.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

inline constexpr std::size_t ring_header_bytes = 4096;
inline constexpr std::size_t ring_chunk_bytes = 1024 * 1024;
inline constexpr std::uint64_t ring_capacity_bytes_min = 4096;
inline constexpr std::uint64_t ring_capacity_bytes_max = 1024ull * 1024 * 1024;

struct ring_header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint64_t capacity;
  char boot_id[40];
  std::uint64_t fixed_check;  // FNV-1a of everything above
  std::atomic<std::uint64_t> base;
  std::atomic<std::uint64_t> end;
  std::atomic<std::uint32_t> ended;  // 1: no byte will follow, wait_status holds
  std::atomic<std::int32_t> wait_status;
};
static_assert(sizeof(ring_header) <= ring_header_bytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class ring_file {
 public:
  // Makes a new file in the directory, or fails (EEXIST included). The capacity is rounded up to
  // whole pages.
  static std::optional<ring_file> create(int directory, const std::string& name,
                                         std::uint64_t capacity, int& error);
  // Opens what an agent left, checked: EILSEQ not a ring file or damaged, ESTALE of another boot of
  // the machine.
  static std::optional<ring_file> open(int directory, const std::string& name, int& error);
  ring_file(ring_file&& other) noexcept;
  ring_file& operator=(ring_file&&) = delete;
  ~ring_file();

  std::uint64_t base() const { return header_->base.load(std::memory_order_acquire); }
  std::uint64_t end() const { return header_->end.load(std::memory_order_acquire); }
  std::uint64_t capacity() const { return header_->capacity; }
  std::uint64_t free_bytes() const { return capacity() - (end() - base()); }
  std::optional<std::int32_t> wait_status() const;  // as waitpid(2) has it

  // Writer: a contiguous place for the next bytes, at most `want`; nullptr if full or the disk is
  // (errno = ENOSPC).
  char* writable(std::size_t& want);
  void commit(std::size_t bytes);
  void drop_below(std::uint64_t offset);  // clamped to [base, end]
  void give_back();                       // the space of chunks that hold no kept byte
  void set_ended(std::int32_t wait_status);

  // The bytes from `offset` on, at most `bytes_max`; shorter at the wrap. offset in [base, end].
  std::string_view readable(std::uint64_t offset, std::size_t bytes_max) const;

 private:
  ring_file(unique_fd fd, ring_header* header, std::size_t mapped);
  bool take_chunk(std::size_t index);

  unique_fd fd_;
  ring_header* header_;
  char* data_;
  std::size_t mapped_;
  std::vector<bool> taken_;  // chunks with disk space
};

std::string boot_id();

}  // namespace berth::agent
