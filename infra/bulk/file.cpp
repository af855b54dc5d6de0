#include "infra/bulk/file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {

journal_result<file> file::open(const std::filesystem::path& path, access how) {
  const int flags = how == access::read     ? O_RDONLY
                    : how == access::append ? O_RDWR
                                            : O_RDWR | O_CREAT | O_EXCL;
  file opened{::open(path.c_str(), flags | O_CLOEXEC, 0600), path};
  if (opened.fd_ >= 0) return opened;
  auto error = opened.failed("open");
  if (errno == ENOENT) error.code = journal_errc::not_found;
  return error;
}

file::file(file&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)}, path_{std::move(other.path_)} {}

file& file::operator=(file&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

file::~file() {
  if (fd_ >= 0) ::close(fd_);
}

journal_error file::failed(const char* what) const {
  return {journal_errc::io, path_.string() + ": " + what + ": " + std::strerror(errno),
          std::nullopt};
}

journal_result<std::string> file::read(std::uint64_t at, std::size_t bytes) const {
  std::string into(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const auto got = ::pread(fd_, into.data() + done, bytes - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  into.resize(done);
  return into;
}

journal_result<std::uint64_t> file::size() const {
  struct stat about {};
  if (::fstat(fd_, &about) != 0) return failed("stat");
  return static_cast<std::uint64_t>(about.st_size);
}

std::optional<journal_error> file::write(std::uint64_t at, std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed("write");
    at += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return std::nullopt;
}

std::optional<journal_error> file::sync() const {
  if (::fdatasync(fd_) == 0) return std::nullopt;
  return failed("sync");
}

std::optional<journal_error> file::truncate(std::uint64_t size) const {
  if (::ftruncate(fd_, static_cast<off_t>(size)) == 0) return std::nullopt;
  return failed("truncate");
}

}  // namespace berth
