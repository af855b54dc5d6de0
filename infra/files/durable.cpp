#include "infra/files/durable.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace berth {

std::optional<journal_error> sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const auto reason = errno;
  if (fd >= 0) ::close(fd);
  if (synced) return std::nullopt;
  return journal_error{journal_errc::io, folder.string() + ": sync: " + std::strerror(reason),
                       std::nullopt};
}

std::optional<journal_error> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(folder);
  const auto above = absolute.parent_path();
  if (std::filesystem::is_directory(absolute, error)) {
    // Made by a process that may have ended before it was synced. Somebody else's we may not open.
    (void)sync_folder(above);
    return std::nullopt;
  }
  if (auto failed = make_folder(above)) return failed;
  std::filesystem::create_directory(absolute, error);
  if (error)
    return journal_error{journal_errc::io,
                         folder.string() + ": cannot be created: " + error.message(), std::nullopt};
  return sync_folder(above);
}

std::optional<journal_error> truncate_file(const std::filesystem::path& path, std::uint64_t size) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool cut = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(size)) == 0 && ::fsync(fd) == 0;
  const auto reason = errno;
  if (fd >= 0) ::close(fd);
  if (cut) return std::nullopt;
  return journal_error{journal_errc::io, path.string() + ": cut: " + std::strerror(reason),
                       std::nullopt};
}

std::optional<journal_error> write_whole_file(const std::filesystem::path& path,
                                              std::string_view bytes) {
  const auto unnamed = std::filesystem::path{path} += ".new";
  const int fd = ::open(unnamed.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 &&
      ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
      ::fsync(fd) == 0;
  auto reason = errno;
  if (fd >= 0) ::close(fd);
  const bool named = written && std::rename(unnamed.c_str(), path.c_str()) == 0;
  if (written && !named) reason = errno;
  if (named) return sync_folder(path.parent_path());
  return journal_error{journal_errc::io,
                       path.string() + ": cannot be written: " + std::strerror(reason),
                       std::nullopt};
}

}  // namespace berth
