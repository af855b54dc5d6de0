#include "infra/bulk/block.hpp"

#include <bit>
#include <cstring>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"

namespace berth {
namespace {

static_assert(std::endian::native == std::endian::little, "heads are copied as they lie in memory");
constexpr std::uint32_t magic = 0x31425242;  // "BRB1"
constexpr std::size_t hashed_bytes = 24;

struct head {
  std::uint32_t magic;
  std::uint32_t size;
  std::uint64_t offset;
  std::int64_t time_us;
  std::uint32_t checksum;
  std::uint32_t zero;
};
static_assert(sizeof(head) == block::head_bytes);

std::uint32_t checksum_of(const head& of, std::string_view data, std::uint32_t seed) {
  return crc32c(data, crc32c({reinterpret_cast<const char*>(&of), hashed_bytes}, seed));
}

std::optional<head> read_head(std::string_view bytes) {
  head read;
  if (bytes.size() < sizeof read) return std::nullopt;
  std::memcpy(&read, bytes.data(), sizeof read);
  if (read.magic != magic || read.size == 0 || read.size > block::data_bytes_max || read.zero != 0)
    return std::nullopt;
  return read;
}

}  // namespace

std::uint32_t block_seed(const terminal_id& terminal) {
  return crc32c(terminal.value);
}

void append_block(std::string& to, std::uint32_t seed, const block& added) {
  BERTH_ASSERT(!added.data.empty() && added.data.size() <= block::data_bytes_max);
  head written{
      magic, static_cast<std::uint32_t>(added.data.size()), added.offset, to_us(added.time), 0, 0};
  written.checksum = checksum_of(written, added.data, seed);
  to.append(reinterpret_cast<const char*>(&written), sizeof written).append(added.data);
}

std::optional<std::size_t> block_data_size(std::string_view bytes) {
  const auto read = read_head(bytes);
  return read ? std::optional<std::size_t>{read->size} : std::nullopt;
}

std::optional<block> read_block(std::string_view bytes, std::uint32_t seed, block_check how) {
  const auto read = read_head(bytes);
  if (!read) return std::nullopt;
  bytes.remove_prefix(sizeof(head));
  if (how == block_check::whole) {
    if (bytes.size() < read->size) return std::nullopt;
    bytes = bytes.substr(0, read->size);
    if (checksum_of(*read, bytes, seed) != read->checksum) return std::nullopt;
  }
  return block{read->offset, from_us(read->time_us), bytes.substr(0, read->size)};
}

}  // namespace berth
