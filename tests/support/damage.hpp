// Seeded damage to the files of a folder, as bad disks and crashes do it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace berth::testing {

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void write_whole(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

// Regular files below `folder` that match, in order of name.
template <class Wanted>
std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder, Wanted wanted) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
    if (entry.is_regular_file() && wanted(entry.path())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// Does one of: flip a bit, cut the file, overwrite a stretch with zeros, delete the file, add
// garbage. Says what it did.
inline std::string damage_file(const std::filesystem::path& path, std::mt19937& random) {
  auto bytes = read_whole(path);
  const auto at = bytes.empty() ? 0 : random() % bytes.size();
  const auto name = path.filename().string() + " of " + std::to_string(bytes.size()) + " bytes: ";
  switch (bytes.empty() ? 3 : random() % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      write_whole(path, bytes);
      return name + "flip a bit of byte " + std::to_string(at);
    case 4:
    case 5:
    case 6:
      bytes.resize(at);
      write_whole(path, bytes);
      return name + "cut to " + std::to_string(at);
    case 7: {
      const auto size = std::min<std::size_t>(bytes.size() - at, 1 + random() % 600);
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, '\0');
      write_whole(path, bytes);
      return name + "zeros at " + std::to_string(at);
    }
    case 8:
      std::filesystem::remove(path);
      return name + "delete";
    default:
      for (std::size_t i = 0, size = 1 + random() % 300; i < size; ++i)
        bytes.push_back(static_cast<char>(random()));
      write_whole(path, bytes);
      return name + "garbage behind it";
  }
}

}  // namespace berth::testing
