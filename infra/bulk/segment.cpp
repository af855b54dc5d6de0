#include "infra/bulk/segment.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <thread>

#include <zstd.h>

#include "events/core/checksum.hpp"

namespace berth {
namespace {

constexpr std::uint32_t frame_magic = 0x315A5242;  // "BRZ1"
constexpr std::size_t frame_raw_bytes = 64 * 1024;
constexpr std::size_t frame_raw_bytes_max = 2 * (frame_raw_bytes + block::data_bytes_max);
constexpr std::size_t read_step_bytes = 256 * 1024;
constexpr int compression_level = 1;

struct frame_head {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint64_t first;
  std::uint64_t end;
  std::uint32_t raw_size;
  std::uint32_t stored_size;
};
static_assert(sizeof(frame_head) == 32);

std::uint32_t checksum_of(const frame_head& head, std::string_view stored, std::uint32_t seed) {
  constexpr std::size_t skipped = offsetof(frame_head, first);
  return crc32c(
      stored,
      crc32c({reinterpret_cast<const char*>(&head) + skipped, sizeof head - skipped}, seed));
}

journal_error damaged(const segment& in, std::uint64_t offset, const char* what) {
  return {journal_errc::corrupt,
          in.path.string() + " terminal offset " + std::to_string(offset) + ": " + what,
          std::nullopt};
}

// Visits the blocks of `bytes` that hold a byte of [from, to). `next` is the offset expected; it is
// moved on.
std::optional<journal_error> visit_bytes(const segment& in, std::uint32_t seed,
                                         std::string_view& bytes, std::uint64_t& next,
                                         std::uint64_t from, std::uint64_t to,
                                         const block_visitor& visit) {
  while (next < to && !bytes.empty()) {
    const auto size = block_data_size(bytes);
    if (size && bytes.size() < block::head_bytes + *size)
      return std::nullopt;  // more is to be read
    if (!size && bytes.size() < block::head_bytes) return std::nullopt;
    const auto read = read_block(bytes, seed, block_check::whole);
    if (!read) return damaged(in, next, "a block cannot be read");
    if (read->offset != next) return damaged(in, next, "a block of another offset is in its place");
    bytes.remove_prefix(block::head_bytes + read->data.size());
    next = read->end();
    if (next > from) visit(*read);
  }
  return std::nullopt;
}

std::optional<journal_error> visit_raw(const segment& in, const file& opened, std::uint32_t seed,
                                       std::uint64_t from, std::uint64_t to,
                                       const block_visitor& visit) {
  segment::signpost at{in.first, 0};
  const auto behind =
      std::upper_bound(in.signposts.begin(), in.signposts.end(), from,
                       [](std::uint64_t wanted, const auto& post) { return wanted < post.offset; });
  if (behind != in.signposts.begin()) at = *std::prev(behind);
  auto next = at.offset;
  while (next < to) {
    const auto bytes = opened.read(at.at, read_step_bytes);
    if (bytes.has_error()) return bytes.error();
    std::string_view left{*bytes};
    if (auto error = visit_bytes(in, seed, left, next, from, to, visit)) return error;
    if (left.size() == bytes->size() && next < to) return damaged(in, next, "the file ends here");
    at.at += bytes->size() - left.size();
  }
  return std::nullopt;
}

journal_result<std::string> unpacked(const segment& in, const file& opened, const frame_head& head,
                                     std::uint64_t at, std::uint32_t seed) {
  const auto stored = opened.read(at + sizeof head, head.stored_size);
  if (stored.has_error()) return stored.error();
  if (stored->size() != head.stored_size || checksum_of(head, *stored, seed) != head.checksum)
    return damaged(in, head.first, "a frame cannot be read");
  std::string raw(head.raw_size, '\0');
  const auto size = ZSTD_decompress(raw.data(), raw.size(), stored->data(), stored->size());
  if (ZSTD_isError(size) || size != raw.size())
    return damaged(in, head.first, "a frame cannot be unpacked");
  return raw;
}

std::optional<journal_error> visit_frames(const segment& in, const file& opened, std::uint32_t seed,
                                          std::uint64_t from, std::uint64_t to,
                                          const block_visitor& visit) {
  auto next = in.first;
  for (std::uint64_t at = 0; next < to;) {
    frame_head head;
    const auto bytes = opened.read(at, sizeof head);
    if (bytes.has_error()) return bytes.error();
    if (bytes->size() < sizeof head) return damaged(in, next, "the file ends here");
    std::memcpy(&head, bytes->data(), sizeof head);
    if (head.magic != frame_magic || head.first != next || head.end <= head.first ||
        head.raw_size > frame_raw_bytes_max || head.stored_size > frame_raw_bytes_max)
      return damaged(in, next, "a frame cannot be read");
    if (head.end > from) {
      const auto raw = unpacked(in, opened, head, at, seed);
      if (raw.has_error()) return raw.error();
      std::string_view left{*raw};
      if (auto error = visit_bytes(in, seed, left, next, from, std::min(to, head.end), visit))
        return error;
      if (next < std::min(to, head.end)) return damaged(in, next, "a frame ends early");
    }
    next = head.end;
    at += sizeof head + head.stored_size;
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path segment::open_name(std::uint64_t first) {
  char name[32];
  std::snprintf(name, sizeof name, "%020llu.raw", static_cast<unsigned long long>(first));
  return name;
}

std::filesystem::path segment::closed_name(std::uint64_t first, std::uint64_t end, form stored) {
  char name[64];
  std::snprintf(name, sizeof name, "%020llu-%020llu.%s", static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(end), stored == form::raw ? "raw" : "zst");
  return name;
}

std::optional<segment> segment::of_name(const std::filesystem::path& path) {
  const auto kind = path.extension();
  if (kind != ".raw" && kind != ".zst") return std::nullopt;
  segment named;
  named.path = path;
  named.stored = kind == ".raw" ? form::raw : form::compressed;
  const auto stem = path.stem().string();
  const char* const last = stem.data() + stem.size();
  const auto first = std::from_chars(stem.data(), last, named.first);
  if (first.ec != std::errc{}) return std::nullopt;
  if (first.ptr == last) return named.stored == form::raw ? std::optional{named} : std::nullopt;
  if (*first.ptr != '-') return std::nullopt;
  const auto end = std::from_chars(first.ptr + 1, last, named.end);
  if (end.ec != std::errc{} || end.ptr != last || named.end <= named.first) return std::nullopt;
  return named;
}

std::optional<journal_error> visit_blocks(const segment& in, std::uint32_t seed, std::uint64_t from,
                                          std::uint64_t to, const block_visitor& visit) {
  from = std::max(from, in.first);
  to = std::min(to, in.end);
  if (from >= to) return std::nullopt;
  const auto opened = file::open(in.path, file::access::read);
  if (opened.has_error()) return opened.error();
  return in.stored == segment::form::raw ? visit_raw(in, *opened, seed, from, to, visit)
                                         : visit_frames(in, *opened, seed, from, to, visit);
}

std::optional<journal_error> compress(const segment& raw, std::uint32_t seed,
                                      const std::filesystem::path& path) {
  std::string packed, frame;
  std::uint64_t frame_first = raw.first;
  const auto write_frame = [&](std::uint64_t end) {
    if (frame.empty()) return;
    std::string stored(ZSTD_compressBound(frame.size()), '\0');
    stored.resize(
        ZSTD_compress(stored.data(), stored.size(), frame.data(), frame.size(), compression_level));
    frame_head head{frame_magic,
                    0,
                    frame_first,
                    end,
                    static_cast<std::uint32_t>(frame.size()),
                    static_cast<std::uint32_t>(stored.size())};
    head.checksum = checksum_of(head, stored, seed);
    packed.append(reinterpret_cast<const char*>(&head), sizeof head).append(stored);
    frame.clear();
    frame_first = end;
  };
  const auto failed = visit_blocks(raw, seed, raw.first, raw.end, [&](const block& each) {
    append_block(frame, seed, each);
    if (frame.size() < frame_raw_bytes) return;
    write_frame(each.end());
    std::this_thread::yield();  // nobody waits for it
  });
  if (failed) return failed;
  write_frame(raw.end);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);  // of a compression that a crash ended
  const auto opened = file::open(path, file::access::append_new);
  if (opened.has_error()) return opened.error();
  if (auto error = opened->write(0, packed)) return error;
  return opened->sync();
}

}  // namespace berth
