#include "infra/rocksdb/wal_scan.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
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

// Goes through the files in order.
class scanner {
 public:
  void file(const std::filesystem::path& path, std::string_view bytes) {
    std::optional<std::uint64_t> record, hole;  // where an unfinished one began
    const auto broken = [&](std::uint64_t at) {
      if (!damage_) damage_ = wal_damage{path, at, record.value_or(at), false};
      record.reset();
    };
    for (std::size_t at = 0; at < bytes.size();) {
      const auto here = fragment_at(bytes, at);
      const bool begins = here.type == full || here.type == first;
      if (here.is_padding) {
        if (here.size >= header_bytes && !hole) hole = at;
      } else if (!here.is_good) {
        broken(at);
      } else {
        // Zeros are what was reserved and never written, unless something stands behind them.
        if (hole) broken(*std::exchange(hole, std::nullopt));
        if (begins == record.has_value()) broken(at);
        if (begins) begin(path, bytes.substr(at + header_bytes, here.size - header_bytes));
        if (here.type == first) record = at;
        if (here.type == last) record.reset();
        if (here.type == full || here.type == last) finish();
      }
      at += here.size ? here.size : block_bytes - at % block_bytes;
    }
    if (record) broken(*record);
  }
  const std::optional<wal_damage>& damage() const { return damage_; }

 private:
  // A record's first bytes are those of its write batch: sequence number (8), count (4).
  void begin(const std::filesystem::path& path, std::string_view payload) {
    std::uint64_t sequence{};
    std::uint32_t count{};
    const bool is_batch = payload.size() >= sizeof sequence + sizeof count;
    if (is_batch) {
      std::memcpy(&sequence, payload.data(), sizeof sequence);
      std::memcpy(&count, payload.data() + sizeof sequence, sizeof count);
    }
    if (damage_ && !damage_->is_followed) {
      const bool goes_on = is_batch && damage_->file != path && next_ && *next_ == sequence;
      if (goes_on)
        damage_.reset();
      else
        damage_->is_followed = true;
    }
    unfinished_next_ = sequence + count;
  }
  void finish() {
    if (!damage_) next_ = unfinished_next_;
  }

  std::optional<wal_damage> damage_;
  std::optional<std::uint64_t> next_;  // sequence number behind the last whole record
  std::uint64_t unfinished_next_{};
};

std::optional<wal_damage> damage_of(const std::vector<std::filesystem::path>& files) {
  scanner scan;
  for (const auto& path : files) {
    std::ifstream in{path, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
    scan.file(path, bytes);
  }
  return scan.damage();
}

}  // namespace

std::optional<wal_damage> find_wal_damage(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored})
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // RocksDB pads numbers to six digits
  return damage_of(files);
}

std::optional<wal_damage> find_manifest_damage(const std::filesystem::path& folder) {
  std::string name;
  std::ifstream current{folder / "CURRENT"};
  if (!std::getline(current, name) || !name.starts_with("MANIFEST-")) return std::nullopt;
  return damage_of({folder / name});
}

}  // namespace berth
