#include "infra/agent/protocol/ring_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "events/core/invariant.hpp"

namespace berth::agent {
namespace {

constexpr char ring_magic[8] = {'B', 'R', 'T', 'H', 'R', 'N', 'G', '1'};
constexpr std::uint32_t ring_version = 1;

std::uint64_t fixed_check_of(const ring_header& header) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  std::uint64_t hash = 14695981039346656037ull;
  for (std::size_t i = 0; i < offsetof(ring_header, fixed_check); ++i)
    hash = (hash ^ bytes[i]) * 1099511628211ull;
  return hash;
}

ring_header* map_file(int fd, std::size_t bytes, int protection) {
  void* at = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<ring_header*>(at);
}

bool reserve_space(int fd, off_t at, off_t bytes) {
  if (::fallocate(fd, 0, at, bytes) == 0) return true;
  if (errno != EOPNOTSUPP) return false;
  static const std::string zeros(64 * 1024, '\0');
  for (off_t done = 0; done < bytes;) {
    const auto piece = std::min<off_t>(bytes - done, static_cast<off_t>(zeros.size()));
    const auto wrote = ::pwrite(fd, zeros.data(), static_cast<std::size_t>(piece), at + done);
    if (wrote <= 0) return false;
    done += wrote;
  }
  return true;
}

}  // namespace

std::string boot_id() {
  const unique_fd fd{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
  char text[40]{};
  if (!fd || ::read(fd.get(), text, 36) != 36) return "unknown";
  return text;
}

ring_file::ring_file(unique_fd fd, ring_header* header, std::size_t mapped)
    : fd_{std::move(fd)},
      header_{header},
      data_{reinterpret_cast<char*>(header) + ring_header_bytes},
      mapped_{mapped},
      taken_((mapped - ring_header_bytes + ring_chunk_bytes - 1) / ring_chunk_bytes) {}

ring_file::ring_file(ring_file&& other) noexcept
    : fd_{std::move(other.fd_)},
      header_{std::exchange(other.header_, nullptr)},
      data_{other.data_},
      mapped_{other.mapped_},
      taken_{std::move(other.taken_)} {}

ring_file::~ring_file() {
  if (header_) ::munmap(header_, mapped_);
}

std::optional<ring_file> ring_file::create(int directory, const std::string& name,
                                           std::uint64_t capacity, int& error) {
  capacity = std::clamp(capacity, ring_capacity_bytes_min, ring_capacity_bytes_max);
  capacity = (capacity + 4095) / 4096 * 4096;
  const auto bytes = static_cast<std::size_t>(capacity) + ring_header_bytes;
  unique_fd fd{
      ::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) {
    error = errno;
    return std::nullopt;
  }
  auto* header = ::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0 &&
                         reserve_space(fd.get(), 0, ring_header_bytes)
                     ? map_file(fd.get(), bytes, PROT_READ | PROT_WRITE)
                     : nullptr;
  if (!header) {
    error = errno;
    ::unlinkat(directory, name.c_str(), 0);
    return std::nullopt;
  }
  std::memcpy(header->magic, ring_magic, sizeof ring_magic);
  header->version = ring_version;
  header->header_bytes = ring_header_bytes;
  header->capacity = capacity;
  std::strncpy(header->boot_id, boot_id().c_str(), sizeof header->boot_id - 1);
  header->fixed_check = fixed_check_of(*header);
  return ring_file{std::move(fd), header, bytes};
}

std::optional<ring_file> ring_file::open(int directory, const std::string& name, int& error) {
  unique_fd fd{::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    error = errno;
    return std::nullopt;
  }
  const auto bytes = static_cast<std::size_t>(info.st_size);
  error = EILSEQ;
  if (!S_ISREG(info.st_mode) || bytes < ring_header_bytes) return std::nullopt;
  auto* header = map_file(fd.get(), bytes, PROT_READ);
  if (!header) {
    error = errno;
    return std::nullopt;
  }
  ring_file file{std::move(fd), header, bytes};
  const bool sound = std::memcmp(header->magic, ring_magic, sizeof ring_magic) == 0 &&
                     header->version == ring_version &&
                     header->fixed_check == fixed_check_of(*header) &&
                     header->capacity == bytes - ring_header_bytes && file.base() <= file.end() &&
                     file.end() - file.base() <= header->capacity;
  if (!sound) return std::nullopt;
  if (std::strncmp(header->boot_id, boot_id().c_str(), sizeof header->boot_id) != 0) {
    error = ESTALE;
    return std::nullopt;
  }
  error = 0;
  return file;
}

std::optional<std::int32_t> ring_file::wait_status() const {
  if (header_->ended.load(std::memory_order_acquire) == 0) return std::nullopt;
  return header_->wait_status.load();
}

bool ring_file::take_chunk(std::size_t index) {
  if (taken_[index]) return true;
  const auto at = index * ring_chunk_bytes;
  const auto bytes = std::min<std::size_t>(ring_chunk_bytes, mapped_ - ring_header_bytes - at);
  taken_[index] = reserve_space(fd_.get(), static_cast<off_t>(ring_header_bytes + at),
                                static_cast<off_t>(bytes));
  return taken_[index];
}

char* ring_file::writable(std::size_t& want) {
  const auto at = static_cast<std::size_t>(end() % capacity());
  const auto chunk_left = ring_chunk_bytes - at % ring_chunk_bytes;
  const auto wrap_left = static_cast<std::size_t>(capacity()) - at;
  want = std::min({want, static_cast<std::size_t>(free_bytes()), chunk_left, wrap_left});
  if (want == 0) return nullptr;
  return take_chunk(at / ring_chunk_bytes) ? data_ + at : nullptr;
}

void ring_file::commit(std::size_t bytes) {
  BERTH_ASSERT(bytes <= free_bytes());
  header_->end.store(end() + bytes, std::memory_order_release);
}

void ring_file::drop_below(std::uint64_t offset) {
  header_->base.store(std::clamp(offset, base(), end()), std::memory_order_release);
}

// Chunks count from the start of the data area, so go round by position.
void ring_file::give_back() {
  if (free_bytes() == 0) return;
  const auto first = base() % capacity();
  const auto last = end() % capacity();
  const auto keep_first = static_cast<std::size_t>(first) / ring_chunk_bytes;
  const auto keep_last = static_cast<std::size_t>(last) / ring_chunk_bytes;
  const bool wraps = first > last;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const bool kept = wraps ? i >= keep_first || i <= keep_last : i >= keep_first && i <= keep_last;
    if (!taken_[i] || kept) continue;
    const auto at = i * ring_chunk_bytes;
    const auto bytes = std::min<std::size_t>(ring_chunk_bytes, mapped_ - ring_header_bytes - at);
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(ring_header_bytes + at), static_cast<off_t>(bytes));
    taken_[i] = false;
  }
}

void ring_file::set_ended(std::int32_t wait_status) {
  header_->wait_status.store(wait_status);
  header_->ended.store(1, std::memory_order_release);
}

std::string_view ring_file::readable(std::uint64_t offset, std::size_t bytes_max) const {
  BERTH_ASSERT(offset >= base() && offset <= end());
  const auto at = static_cast<std::size_t>(offset % capacity());
  const auto bytes = std::min({bytes_max, static_cast<std::size_t>(end() - offset),
                               static_cast<std::size_t>(capacity()) - at});
  return {data_ + at, bytes};
}

}  // namespace berth::agent
