#include "infra/bulk/terminal_folder.hpp"

#include <algorithm>
#include <cstring>

#include "infra/files/durable.hpp"

namespace berth {
namespace {

constexpr std::size_t open_segment_bytes_max = 64
                                               << 20;  // read as a whole when it is taken up again

journal_error lost(const std::filesystem::path& folder, std::uint64_t ends_at, std::uint64_t mark) {
  return {journal_errc::data_loss,
          folder.string() + ": the terminal's bytes end at offset " + std::to_string(ends_at) +
              ", but offset " + std::to_string(mark) +
              " was told durable; restore the folder, or run berth-inspect accept-loss",
          std::nullopt};
}

// Segments in order. Of a raw file and its compressed form the latter counts: it was complete when
// it got its name.
std::vector<segment> list_segments(const std::filesystem::path& folder, folder_use use) {
  std::vector<segment> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    if (use == folder_use::write && entry.path().extension() == ".tmp")
      std::filesystem::remove(entry.path(), ignored);
    if (auto named = segment::of_name(entry.path())) found.push_back(std::move(*named));
  }
  std::sort(found.begin(), found.end(), [](const segment& a, const segment& b) {
    return std::pair{a.first, a.stored == segment::form::raw} <
           std::pair{b.first, b.stored == segment::form::raw};
  });
  std::vector<segment> kept;
  for (auto& each : found) {
    if (!kept.empty() && kept.back().first == each.first) {
      if (use == folder_use::write) std::filesystem::remove(each.path, ignored);
    } else {
      kept.push_back(std::move(each));
    }
  }
  return kept;
}

std::uint64_t first_of(const durable_mark& mark) {
  std::uint64_t first;
  std::memcpy(&first, mark.hash.data(), sizeof first);
  return first;
}

journal_error missing(const std::filesystem::path& folder, std::uint64_t offset) {
  return {journal_errc::corrupt,
          folder.string() + ": the segment of offset " + std::to_string(offset) + " is missing",
          std::nullopt};
}

// Removes what retention had dropped when a crash came between the mark and the files. Segments are
// dropped whole, so what begins before the first offset kept is behind it, also under the name of
// an open one.
void drop_behind(std::vector<segment>& segments, std::uint64_t first, folder_use use) {
  std::erase_if(segments, [&](const segment& each) {
    const bool dropped = each.first < first;
    std::error_code ignored;
    if (dropped && use == folder_use::write) std::filesystem::remove(each.path, ignored);
    return dropped;
  });
}

// Walks the open segment's blocks: those beyond the mark are checked whole, the others when they
// are read.
std::optional<journal_error> walk_open(segment& open, std::uint32_t seed, std::uint64_t mark,
                                       folder_use use, std::uint64_t& file_bytes) {
  const auto opened =
      file::open(open.path, use == folder_use::write ? file::access::append : file::access::read);
  if (opened.has_error()) return opened.error();
  const auto size = opened->size();
  if (size.has_error()) return size.error();
  const auto bytes = opened->read(0, std::min<std::uint64_t>(*size, open_segment_bytes_max));
  if (bytes.has_error()) return bytes.error();
  open.end = open.first;
  std::size_t at = 0;
  while (at < bytes->size()) {
    const std::string_view here = std::string_view{*bytes}.substr(at);
    const auto data = block_data_size(here);
    if (!data || block::head_bytes + *data > here.size()) break;
    const bool told = open.end + *data <= mark;
    const auto read = read_block(here, seed, told ? block_check::head_only : block_check::whole);
    if (!read || read->offset != open.end) break;
    if (open.signposts.empty() || at - open.signposts.back().at >= segment::signpost_distance_bytes)
      open.signposts.push_back({open.end, at});
    open.end = read->end();
    at += block::head_bytes + read->data.size();
  }
  file_bytes = at;
  if (use == folder_use::read || open.end < mark) return std::nullopt;
  if (at < bytes->size())
    if (auto error = opened->truncate(at)) return error;
  if (auto error = opened->sync()) return error;
  return sync_folder(open.path.parent_path());  // its maker may have ended before doing it
}

}  // namespace

durable_mark mark_of(std::uint64_t first, std::uint64_t durable) {
  durable_mark mark{durable, {}};
  std::memcpy(mark.hash.data(), &first, sizeof first);
  return mark;
}

std::filesystem::path mark_path(const std::filesystem::path& folder) {
  return folder / "durable";
}

bool is_folder_name(const terminal_id& terminal) {
  return !terminal.value.empty() && terminal.value.size() <= 128 &&
         std::all_of(terminal.value.begin(), terminal.value.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

journal_result<terminal_folder> load_folder(const std::filesystem::path& folder,
                                            const terminal_id& terminal, folder_use use) {
  const auto stored = head_file::read(mark_path(folder));
  if (stored.has_error()) return stored.error();
  auto segments = list_segments(folder, use);
  if (!*stored) {
    if (segments.empty()) return terminal_folder{};
    return journal_error{
        journal_errc::corrupt,
        mark_path(folder).string() + ": missing beside segments, so their end is unproven",
        std::nullopt};
  }
  const auto mark = (*stored)->offset;
  const auto first = first_of(**stored);
  drop_behind(segments, first, use);
  terminal_folder loaded;
  loaded.extent = {first, mark, mark};
  if (segments.empty())
    return first == mark ? journal_result<terminal_folder>{loaded} : missing(folder, first);
  if (segments.front().first != first) return missing(folder, first);
  if (segments.back().end == 0) {
    loaded.open = std::move(segments.back());
    segments.pop_back();
    if (auto error =
            walk_open(*loaded.open, block_seed(terminal), mark, use, loaded.open_file_bytes))
      return *error;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool is_last = i + 1 == segments.size();
    const auto next = !is_last      ? segments[i + 1].first
                      : loaded.open ? loaded.open->first
                                    : segments[i].end;
    // A crash between naming the next segment and renaming this one leaves it with an open name.
    if (segments[i].end == 0) segments[i].end = next;
    if (segments[i].end != next) return missing(folder, segments[i].end);
  }
  const auto end = loaded.open ? loaded.open->end : segments.back().end;
  if (end < mark) return lost(folder, end, mark);
  loaded.closed = std::move(segments);
  loaded.extent.durable = loaded.extent.next = use == folder_use::write ? end : mark;
  if (loaded.open && use == folder_use::read) loaded.open->end = std::min(loaded.open->end, mark);
  return loaded;
}

journal_result<std::uint64_t> set_aside(const std::filesystem::path& folder,
                                        const terminal_id& terminal) {
  const auto stored = head_file::read(mark_path(folder));
  std::uint64_t next = stored.has_value() && *stored ? (*stored)->offset : 0;
  std::error_code error;
  auto aside = folder / "damaged";
  for (int n = 2; std::filesystem::exists(aside); ++n)
    aside = folder / ("damaged-" + std::to_string(n));
  std::filesystem::create_directories(aside, error);
  for (auto& each : list_segments(folder, folder_use::read)) {
    std::uint64_t file_bytes = 0;
    if (each.end == 0 && walk_open(each, block_seed(terminal), 0, folder_use::read, file_bytes))
      each.end = each.first;
    next = std::max(next, each.end);
    if (!error) std::filesystem::rename(each.path, aside / each.path.filename(), error);
  }
  if (error)
    return journal_error{journal_errc::io,
                         folder.string() + ": cannot be set aside: " + error.message(),
                         std::nullopt};
  const auto marked = head_file::open(mark_path(folder), mark_of(next, next));
  if (marked.has_error()) return marked.error();
  return next;
}

}  // namespace berth
