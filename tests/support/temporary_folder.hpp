// A folder of its own, removed with all that is in it when the object goes.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth::testing {

// Memory if the machine has it as a file system (TMPDIR goes first), else the temporary directory.
inline std::filesystem::path fast_storage() {
  if (::getenv("TMPDIR") == nullptr && std::filesystem::exists("/dev/shm")) return "/dev/shm";
  return std::filesystem::temp_directory_path();
}

class temporary_folder {
 public:
  explicit temporary_folder(const std::filesystem::path& below = fast_storage()) {
    auto pattern = (below / "berth-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error{"no temporary folder can be made below " + below.string()};
    path_ = pattern;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  std::filesystem::path write(const std::filesystem::path& name, std::string_view bytes) const {
    std::ofstream out{path_ / name, std::ios::binary | std::ios::trunc};
    out << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace berth::testing
