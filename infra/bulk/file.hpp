// A file descriptor that closes itself, and whole reads and writes with errors that name the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/journal_error.hpp"

namespace berth {

class file {
 public:
  enum class access : char { read, append_new, append };
  static journal_result<file> open(const std::filesystem::path& path, access how);

  file() = default;
  file(file&& other) noexcept;
  file& operator=(file&& other) noexcept;
  ~file();

  explicit operator bool() const { return fd_ >= 0; }
  // Fewer bytes only at the end of the file.
  journal_result<std::string> read(std::uint64_t at, std::size_t bytes) const;
  journal_result<std::uint64_t> size() const;
  std::optional<journal_error> write(std::uint64_t at, std::string_view bytes) const;
  std::optional<journal_error> sync()
      const;  // data and what is needed to find it; never retried after an error
  std::optional<journal_error> truncate(std::uint64_t size) const;

 private:
  file(int fd, std::filesystem::path path) : fd_{fd}, path_{std::move(path)} {}
  journal_error failed(const char* what) const;

  int fd_{-1};
  std::filesystem::path path_;
};

}  // namespace berth
