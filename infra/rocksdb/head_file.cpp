#include "infra/rocksdb/head_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "events/core/checksum.hpp"
#include "infra/files/durable.hpp"

namespace berth {
namespace {

constexpr std::uint32_t magic = 0x31485242;  // "BRH1"
constexpr off_t slot_distance_bytes = 512;   // a sector: torn writes do not cross it
constexpr int slots = 2;

struct slot {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint64_t writes;
  std::uint64_t offset;
  chain_hash hash;
};
static_assert(sizeof(slot) == 56);

std::uint32_t checksum_of(const slot& of) {
  return crc32c({reinterpret_cast<const char*>(&of.writes), sizeof(slot) - offsetof(slot, writes)});
}

journal_error failed(const std::filesystem::path& path, const char* what) {
  return {journal_errc::io, path.string() + ": " + what + ": " + std::strerror(errno),
          std::nullopt};
}

}  // namespace

journal_result<std::optional<durable_mark>> head_file::read(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<durable_mark>{};
    return failed(path, "open");
  }
  std::optional<slot> newest;
  for (int i = 0; i < slots; ++i) {
    slot read{};
    if (::pread(fd, &read, sizeof read, i * slot_distance_bytes) != sizeof read) continue;
    if (read.magic != magic || read.checksum != checksum_of(read)) continue;
    if (!newest || read.writes > newest->writes) newest = read;
  }
  ::close(fd);
  if (!newest)
    return journal_error{
        journal_errc::corrupt,
        path.string() + ": neither of its two slots can be read, so the end of the log is unproven",
        std::nullopt};
  return std::optional{durable_mark{newest->offset, newest->hash}};
}

journal_result<head_file> head_file::open(const std::filesystem::path& path,
                                          const durable_mark& first) {
  // A new one gets its name when it is on the disk: what has the name can be read.
  const auto unnamed = std::filesystem::path{path} += ".new";
  int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const bool is_new = fd < 0 && errno == ENOENT;
  if (is_new) fd = ::open(unnamed.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed(path, "open");
  head_file file{fd, path};
  // Counted on from what is there, so that neither slot's old content can win.
  for (int i = 0; i < slots; ++i) {
    slot old{};
    if (::pread(fd, &old, sizeof old, i * slot_distance_bytes) == sizeof old &&
        old.checksum == checksum_of(old))
      file.writes_ = std::max(file.writes_, old.writes);
  }
  for (int i = 0; i < slots; ++i)
    if (auto error = file.write(first)) return *error;
  if (::fsync(fd) != 0) return failed(path, "fsync");
  if (is_new && ::rename(unnamed.c_str(), path.c_str()) != 0) return failed(path, "rename");
  if (auto error = sync_folder(path.parent_path())) return *error;
  return file;
}

head_file::head_file(head_file&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)}, path_{std::move(other.path_)}, writes_{other.writes_} {}

head_file& head_file::operator=(head_file&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(writes_, other.writes_);
  return *this;
}

head_file::~head_file() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<journal_error> head_file::write(const durable_mark& mark) {
  slot next{magic, 0, ++writes_, mark.offset, mark.hash};
  next.checksum = checksum_of(next);
  const auto at = static_cast<off_t>(next.writes % slots) * slot_distance_bytes;
  if (::pwrite(fd_, &next, sizeof next, at) == sizeof next) return std::nullopt;
  return failed(path_, "write");
}

std::optional<journal_error> head_file::sync() {
  if (::fdatasync(fd_) == 0) return std::nullopt;
  return failed(path_, "sync");
}

}  // namespace berth
