// Terminals' segment files. The first byte chooses: one block; files of any content; or a folder
// written by the real code and then damaged, from which no other byte than the written one may
// come.
#include <zstd.h>

#include "events/core/checksum.hpp"
#include "infra/bulk/terminal_log.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::fuzz {
namespace {

enum kind : std::uint8_t { one_block, open_file, closed_files, packed_frame, damaged, kinds };

const terminal_id terminal{"term_1"};
constexpr std::size_t read_bytes = 4096;
constexpr int damages_max = 8;

const testing::temporary_folder& scratch() {
  static const testing::temporary_folder made;
  return made;
}
std::filesystem::path fresh_folder() {
  const auto path = scratch().path() / terminal.value;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}
void put(const std::filesystem::path& name, std::string_view bytes) {
  scratch().write(terminal.value / name, bytes);
}
void put_mark(std::uint64_t first, std::uint64_t durable) {
  const auto path = mark_path(scratch().path() / terminal.value);
  require(head_file::open(path, mark_of(first, durable)).has_value(), "a mark can be written");
}

// The byte that was printed at an offset.
char printed_at(std::uint64_t offset) {
  return static_cast<char>(offset * 31 + (offset >> 8));
}

// Opens the folder and reads all of it. Nothing if it was refused.
std::optional<bulk_extent> read_all(folder_use use, bool written_by_us) {
  const bulk_options options{.dir = scratch().path(), .on_fatal = {}};
  auto folder = load_folder(options.dir / terminal.value, terminal, use);
  if (!folder) {
    require(!folder.error().message.empty(), "a refused folder says why");
    return std::nullopt;
  }
  const terminal_log log{options, terminal, std::move(*folder)};
  const auto extent = log.extent();
  require(extent.first <= extent.durable && extent.durable <= extent.next, "an extent is in order");
  for (auto at = extent.first; at < extent.next;) {
    const auto bytes = log.read(at, read_bytes);
    if (!bytes) {
      require(!bytes.error().message.empty(), "a failed read says where");
      break;
    }
    require(!bytes->empty() && bytes->size() <= read_bytes, "a read gives what was asked for");
    for (const char c : *bytes)
      require(!written_by_us || c == printed_at(at++), "no byte comes that was not printed");
    if (!written_by_us) at += bytes->size();
  }
  (void)log.marks(extent.first, extent.next);
  return extent;
}

void check_block(std::string_view bytes) {
  const auto seed = block_seed(terminal);
  (void)block_data_size(bytes);
  (void)read_block(bytes, seed, block_check::head_only);
  const auto read = read_block(bytes, seed, block_check::whole);
  if (!read) return;
  std::string again;
  append_block(again, seed, *read);
  require(bytes.starts_with(again), "a block written again is the same");
}

void check_open_file(input_reader input) {
  fresh_folder();
  put_mark(0, input.byte());
  put(segment::open_name(0), input.rest());
  read_all(folder_use::read, false);
  if (read_all(folder_use::write, false))
    require(read_all(folder_use::write, false).has_value(), "what was mended opens again");
}

void check_closed_files(input_reader input) {
  fresh_folder();
  const auto first = std::uint64_t{input.byte()};
  const auto end = first + 1 + input.number(2);
  const auto form = input.byte() % 2 ? segment::form::raw : segment::form::compressed;
  put_mark(first, end);
  put(segment::closed_name(first, end, form), input.rest());
  read_all(folder_use::read, false);
}

// A compressed frame whose checksum is right, whatever it holds.
void check_packed_frame(input_reader input) {
  fresh_folder();
  const std::uint64_t first = 0, end = 1 + input.number(2);
  const auto raw_size = static_cast<std::uint32_t>(input.number(3));
  const auto data = input.rest();
  const auto stored_size = static_cast<std::uint32_t>(data.size());
  std::string head;
  const auto add = [&head](const auto& value) {
    head.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  add(first), add(end), add(raw_size), add(stored_size);
  const auto checksum = crc32c(data, crc32c(head, block_seed(terminal)));
  std::string file = "BRZ1";
  file.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  put_mark(first, end);
  put(segment::closed_name(first, end, segment::form::compressed), file.append(head).append(data));
  read_all(folder_use::read, false);
}

// Two closed segments, one of them perhaps compressed, and an open one.
void write_segments(input_reader& input) {
  const auto folder = fresh_folder();
  const auto seed = block_seed(terminal);
  std::uint64_t at = 0;
  for (int number = 0; number < 3; ++number) {
    const auto first = at;
    std::string file;
    for (auto blocks = 1 + input.byte() % 4; blocks > 0; --blocks) {
      std::string data(1 + input.byte() * 9u, '\0');
      for (auto& c : data) c = printed_at(at + static_cast<std::uint64_t>(&c - data.data()));
      append_block(file, seed, {at, from_us(static_cast<std::int64_t>(at)), data});
      at += data.size();
    }
    const bool is_open = number == 2;
    const auto raw =
        is_open ? segment::open_name(first) : segment::closed_name(first, at, segment::form::raw);
    put(raw, file);
    if (is_open || input.byte() % 2 == 0) continue;
    const auto packed = folder / segment::closed_name(first, at, segment::form::compressed);
    require(!compress(*segment::of_name(folder / raw), seed, packed), "a segment is compressed");
    std::filesystem::remove(folder / raw);
  }
  put_mark(0, at - input.byte() % at);
}

void damage(const std::filesystem::path& path, std::uint8_t how, input_reader& input) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  if (ignored) return;  // removed by an earlier damage
  const auto place = input.number(2);
  if (how % 4 == 0) {
    std::filesystem::resize_file(path, place % (size + 1), ignored);
  } else if (how % 16 == 1) {
    std::filesystem::remove(path, ignored);
  } else if (how % 4 == 2) {
    std::ofstream{path, std::ios::binary | std::ios::app} << input.bytes(place % 64);
  } else if (size > 0) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekp(static_cast<std::streamoff>(place % size));
    file.put(static_cast<char>(input.byte()));
  }
}

void check_damaged(input_reader input) {
  write_segments(input);
  const auto whole = read_all(folder_use::read, true);
  require(whole.has_value(), "a folder that is not damaged opens");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{scratch().path() / terminal.value})
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (int n = 0; n < damages_max && !input.empty(); ++n) {
    const auto& path = files[input.byte() % files.size()];
    damage(path, input.byte(), input);
  }
  read_all(folder_use::read, true);
  const auto mended = read_all(folder_use::write, true);
  if (!mended) return;
  const auto again = read_all(folder_use::write, true);
  require(again && again->next == mended->next, "what was mended opens again, and is as long");
}

}  // namespace

void run(std::string_view bytes) {
  input_reader input{bytes};
  switch (input.byte() % kinds) {
    case kind::one_block:
      return check_block(input.rest());
    case kind::open_file:
      return check_open_file(input);
    case kind::closed_files:
      return check_closed_files(input);
    case kind::packed_frame:
      return check_packed_frame(input);
    default:
      return check_damaged(input);
  }
}

std::vector<std::string> seeds() {
  const auto seed = block_seed(terminal);
  std::string blocks;
  append_block(blocks, seed, {0, from_us(7), "hello"});
  append_block(blocks, seed, {5, from_us(8), "world, and more"});
  std::string packed(ZSTD_compressBound(blocks.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), blocks.data(), blocks.size(), 1));
  const auto size = static_cast<char>(blocks.size());
  const std::string three_segments{2, 9, 8, 7, 1, 1, 40, 30, 0, 1, 5, 6, 3};
  std::vector<std::string> all{
      std::string{kind::one_block} + blocks,
      std::string{kind::open_file, 5} + blocks,
      std::string{kind::closed_files, 0, 0, 19, 1} + blocks,
      std::string{kind::packed_frame, 0, 19, 0, 0, size} + packed,
      std::string{kind::damaged} + three_segments,
  };
  for (char file = 0; file < 4; ++file)
    for (char how = 0; how < 4; ++how)
      all.push_back(std::string{kind::damaged} + three_segments +
                    std::string{file, how, 0, 90, 55, 66});
  return all;
}

}  // namespace berth::fuzz
