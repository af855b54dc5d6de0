// One writer a data directory: a lock on DIR/LOCK that the kernel releases however the process
// ends. The file names the holder for whoever is refused. Programs started by the holder do not
// inherit it.
#pragma once

#include <filesystem>
#include <string>

#include "events/core/journal_error.hpp"

namespace berth {

class directory_lock {
 public:
  // `io` if another process holds it, naming that.
  static journal_result<directory_lock> take(const std::filesystem::path& path);
  static bool is_held(const std::filesystem::path& path, std::string* holder);

  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

 private:
  explicit directory_lock(int fd) : fd_{fd} {}
  int fd_;
};

}  // namespace berth
