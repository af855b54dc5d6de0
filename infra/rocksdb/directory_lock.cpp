#include "infra/rocksdb/directory_lock.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace berth {
namespace {

std::string holder_of(int fd) {
  char text[32] = {};
  const auto size = ::pread(fd, text, sizeof text - 1, 0);
  std::string holder{text, size > 0 ? static_cast<std::size_t>(size) : 0};
  if (const auto end = holder.find('\n'); end != std::string::npos) holder.resize(end);
  return holder;
}

}  // namespace

journal_result<directory_lock> directory_lock::take(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return journal_error{journal_errc::io, path.string() + ": open: " + std::strerror(errno),
                         std::nullopt};
  directory_lock lock{fd};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const auto reason = errno == EWOULDBLOCK ? "the directory is in use by process " + holder_of(fd)
                                             : std::string{"lock: "} + std::strerror(errno);
    return journal_error{journal_errc::io, path.string() + ": " + reason, std::nullopt};
  }
  const auto self = std::to_string(::getpid()) + "\n";
  const bool named = ::ftruncate(fd, 0) == 0 && ::pwrite(fd, self.data(), self.size(), 0) > 0;
  if (!named)
    return journal_error{journal_errc::io, path.string() + ": write: " + std::strerror(errno),
                         std::nullopt};
  return lock;
}

bool directory_lock::is_held(const std::filesystem::path& path, std::string* holder) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (held && holder) *holder = holder_of(fd);
  ::close(fd);
  return held;
}

directory_lock::directory_lock(directory_lock&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)} {}

directory_lock::~directory_lock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace berth
