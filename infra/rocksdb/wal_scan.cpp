#include "infra/rocksdb/wal_scan.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "events/core/checksum.hpp"

namespace berth {
namespace {

constexpr std::size_t block_bytes = 32 * 1024;
constexpr std::size_t header_bytes = 7;  // checksum 4, length 2, type 1
enum fragment_type : unsigned char { zero = 0, full = 1, first = 2, middle = 3, last = 4 };

std::uint32_t unmasked(std::uint32_t masked) {
  const auto rotated = masked - 0xa282ead8U;
  return (rotated >> 17) | (rotated << 15);
}

struct fragment {
  bool is_good{};
  bool is_padding{};
  unsigned char type{};
  std::size_t size{};  // with its header; 0 if that cannot be known
};

fragment fragment_at(std::string_view file, std::size_t at) {
  const auto block_left = block_bytes - at % block_bytes;
  const auto left = std::min(block_left, file.size() - at);
  if (block_left < header_bytes) return {true, true, zero, block_left};
  if (left < header_bytes) return {false, false, zero, 0};
  std::uint32_t stored;
  std::uint16_t length;
  std::memcpy(&stored, file.data() + at, sizeof stored);
  std::memcpy(&length, file.data() + at + 4, sizeof length);
  const auto type = static_cast<unsigned char>(file[at + 6]);
  if (type == zero && length == 0 && stored == 0)
    return {true, true, zero, block_left};  // preallocated
  if (length + header_bytes > left) return {false, false, type, 0};
  const bool matches = crc32c(file.substr(at + 6, 1 + length)) == unmasked(stored);
  return {matches && type >= full && type <= last, false, type, header_bytes + length};
}

// Continues a scan over one file's bytes.
void scan(const std::filesystem::path& path, std::string_view file,
          std::optional<wal_damage>& damage) {
  for (std::size_t at = 0; at < file.size();) {
    const auto here = fragment_at(file, at);
    if (!here.is_good && !damage) damage = wal_damage{path, at, false};
    if (here.is_good && !here.is_padding && damage && (here.type == full || here.type == first))
      damage->is_followed = true;
    at += here.size ? here.size : block_bytes - at % block_bytes;
  }
}

}  // namespace

std::optional<wal_damage> find_wal_damage(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored})
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // RocksDB pads numbers to six digits
  std::optional<wal_damage> damage;
  for (const auto& path : files) {
    std::ifstream in{path, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
    scan(path, bytes, damage);
  }
  return damage;
}

}  // namespace berth
