#include "infra/bulk/terminal_log.hpp"

#include <algorithm>
#include <thread>

#include "events/core/invariant.hpp"
#include "infra/bulk/bulk_answers.hpp"
#include "infra/files/durable.hpp"

namespace berth {
namespace {

constexpr int read_attempts_max = 4;  // a segment is compressed or dropped while it is read
constexpr std::size_t write_bytes = 256 * 1024;  // at once

}  // namespace

// What a reader needs to read on without the lock.
struct terminal_log::range {
  std::vector<segment> segments;
  std::vector<pending_bytes> pending;
};

terminal_log::terminal_log(const bulk_options& options, terminal_id terminal,
                           terminal_folder&& loaded)
    : options_{options},
      terminal_{std::move(terminal)},
      folder_{options.dir / terminal_.value},
      seed_{block_seed(terminal_)},
      extent_{loaded.extent},
      closed_{std::move(loaded.closed)},
      open_{std::move(loaded.open)},
      file_bytes_{loaded.open_file_bytes} {}

terminal_log::appended terminal_log::append(std::uint64_t offset, const shared_bytes& data,
                                            timestamp arrived) {
  const std::lock_guard lock{mutex_};
  const auto end = offset + data->size();
  const auto next = extent_.next;
  if (offset > next || end <= next || removed_) return {next, 0, false};
  if (end - extent_.durable > options_.unwritten_bytes_max) return {next, 0, false};
  pending_.push_back({next, arrived, data, static_cast<std::size_t>(next - offset)});
  extent_.next = end;
  return {end, static_cast<std::size_t>(end - next), !std::exchange(dirty_, true)};
}

bulk_extent terminal_log::extent() const {
  const std::lock_guard lock{mutex_};
  return extent_;
}

terminal_log::range terminal_log::collect(std::uint64_t from, std::uint64_t to) const {
  range found;
  const auto first = std::partition_point(closed_.begin(), closed_.end(),
                                          [&](const segment& each) { return each.end <= from; });
  for (auto at = first; at != closed_.end() && at->first < to; ++at) found.segments.push_back(*at);
  if (open_ && open_->first < to && open_->end > from) found.segments.push_back(*open_);
  for (const auto& each : pending_)
    if (each.offset < to && each.end() > from) found.pending.push_back(each);
  return found;
}

std::optional<journal_error> terminal_log::visit(std::uint64_t from, std::uint64_t to,
                                                 const block_visitor& each) const {
  auto next = from;
  const auto once = [&](const block& found) {
    if (found.end() <= next) return;
    each(found);
    next = found.end();
  };
  std::optional<journal_error> failed;
  for (int attempt = 0; attempt < read_attempts_max && next < to; ++attempt) {
    range found;
    {
      const std::lock_guard lock{mutex_};
      if (auto outside = outside_of(terminal_, extent_, next)) return outside;
      found = collect(next, to);
    }
    failed.reset();
    for (const auto& in : found.segments)
      if (!failed) failed = visit_blocks(in, seed_, next, to, once);
    if (failed && failed->code == journal_errc::not_found) continue;
    if (failed) return failed;
    for (const auto& held : found.pending) once({held.offset, held.time, held.bytes()});
    return std::nullopt;
  }
  return failed;
}

journal_result<std::string> terminal_log::read(std::uint64_t from, std::size_t bytes_max) const {
  const auto now = extent();
  if (auto outside = outside_of(terminal_, now, from)) return *outside;
  const auto to = now.next - from < bytes_max ? now.next : from + bytes_max;
  std::string bytes;
  bytes.reserve(to - from);
  auto next = from;
  const auto failed = visit(from, to, [&](const block& each) {
    const auto skip = next - each.offset;
    const auto piece = each.data.substr(skip, to - next);
    bytes.append(piece);
    next += piece.size();
  });
  if (failed) return *failed;
  return bytes;
}

journal_result<std::vector<bulk_mark>> terminal_log::marks(std::uint64_t from,
                                                           std::uint64_t to) const {
  const auto now = extent();
  from = std::max(from, now.first);
  to = std::min(to, now.next);
  std::vector<bulk_mark> found;
  if (from >= to) return found;
  const auto failed = visit(from, to, [&](const block& each) {
    found.push_back({each.offset, each.time});
  });
  if (failed) return *failed;
  return marks_between(found, from, to);
}

bool terminal_log::retain(std::uint64_t bytes_max) {
  const std::lock_guard lock{mutex_};
  bytes_max_ = bytes_max;
  return !std::exchange(dirty_, true);
}

bool terminal_log::finish() {
  const std::lock_guard lock{mutex_};
  finished_ = true;
  return !std::exchange(dirty_, true);
}

std::optional<journal_error> terminal_log::remove() {
  const std::lock_guard files{files_mutex_};
  {
    const std::lock_guard lock{mutex_};
    removed_ = true;
    extent_ = {};
    closed_.clear();
    open_.reset();
    pending_.clear();
  }
  file_ = {};
  mark_.reset();
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  if (error)
    return journal_error{journal_errc::io,
                         folder_.string() + ": cannot be removed: " + error.message(),
                         std::nullopt};
  return sync_folder(options_.dir);
}

std::size_t terminal_log::segment_bytes() const {
  // Retention drops whole segments: they must be small where little is kept.
  const auto wanted = std::max<std::uint64_t>(bytes_max_ / 4, options_.segment_bytes_min);
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, options_.segment_bytes_max));
}

// In pieces, between which others get the processor: a keystroke elsewhere waits for no flood.
journal_result<std::uint64_t> terminal_log::write_blocks(
    const std::vector<pending_bytes>& taken, std::vector<segment::signpost>& signposts) const {
  std::string piece;
  auto at = file_bytes_;
  const auto write_piece = [&] {
    auto failed = file_.write(at, piece);
    at += piece.size();
    piece.clear();
    return failed;
  };
  for (const auto& each : taken) {
    auto left = each.bytes();
    for (auto offset = each.offset; !left.empty();) {
      const auto data = left.substr(0, block::data_bytes_max);
      const auto place = at + piece.size();
      if (signposts.empty() || place - signposts.back().at >= segment::signpost_distance_bytes)
        signposts.push_back({offset, place});
      append_block(piece, seed_, {offset, each.time, data});
      offset += data.size();
      left.remove_prefix(data.size());
      if (piece.size() < write_bytes) continue;
      if (auto failed = write_piece()) return *failed;
      std::this_thread::yield();
    }
  }
  if (auto failed = write_piece()) return *failed;
  return at;
}

std::optional<journal_error> terminal_log::ensure_mark() {
  if (mark_) return std::nullopt;
  if (!std::filesystem::is_directory(folder_))
    if (auto failed = make_folder(folder_)) return failed;
  const auto now = extent();
  auto marked = head_file::open(mark_path(folder_), mark_of(now.first, now.durable));
  if (marked.has_error()) return marked.error();
  mark_.emplace(std::move(*marked));
  return std::nullopt;
}

std::optional<journal_error> terminal_log::ensure_files(std::uint64_t first) {
  if (auto failed = ensure_mark()) return failed;
  if (file_) return std::nullopt;
  const bool exists = open_.has_value();  // written by this thread only
  const auto path = exists ? open_->path : folder_ / segment::open_name(first);
  auto opened = file::open(path, exists ? file::access::append : file::access::append_new);
  if (opened.has_error()) return opened.error();
  file_ = std::move(*opened);
  if (exists) return std::nullopt;
  file_bytes_ = 0;
  {
    const std::lock_guard lock{mutex_};
    open_ = segment{path, segment::form::raw, first, first, {}};
  }
  return sync_folder(folder_);
}

std::optional<journal_error> terminal_log::write_pending() {
  const std::lock_guard files{files_mutex_};
  std::vector<pending_bytes> taken;
  std::uint64_t durable, first;
  std::vector<segment::signpost> signposts;
  {
    const std::lock_guard lock{mutex_};
    dirty_ = false;
    if (pending_.empty() || removed_) return std::nullopt;
    taken.assign(pending_.begin(), pending_.end());
    durable = extent_.durable;
    first = extent_.first;
    BERTH_ASSERT(taken.front().offset == durable);
  }
  if (auto failed = ensure_files(durable)) return failed;
  if (!open_->signposts.empty()) signposts.push_back(open_->signposts.back());
  const auto known = signposts.size();
  const auto written = write_blocks(taken, signposts);
  if (written.has_error()) return written.error();
  if (auto failed = file_.sync()) return failed;
  file_bytes_ = *written;
  const auto end = taken.back().end();
  if (auto failed = mark_->write(mark_of(first, end))) return failed;
  bool is_full;
  {
    const std::lock_guard lock{mutex_};
    extent_.durable = end;
    open_->end = end;
    open_->signposts.insert(open_->signposts.end(),
                            signposts.begin() + static_cast<std::ptrdiff_t>(known),
                            signposts.end());
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken.size()));
    is_full = file_bytes_ >= segment_bytes();
  }
  return is_full ? close_segment() : std::nullopt;
}

std::optional<journal_error> terminal_log::close_segment() {
  file_ = {};
  auto closed = *open_;
  closed.path = folder_ / segment::closed_name(closed.first, closed.end, segment::form::raw);
  std::error_code error;
  std::filesystem::rename(open_->path, closed.path, error);
  if (error)
    return journal_error{journal_errc::io, closed.path.string() + ": rename: " + error.message(),
                         std::nullopt};
  const std::lock_guard lock{mutex_};
  closed_.push_back(std::move(closed));
  open_.reset();
  return std::nullopt;
}

std::optional<journal_error> terminal_log::close_finished() {
  const std::lock_guard files{files_mutex_};
  {
    const std::lock_guard lock{mutex_};
    if (!finished_ || removed_ || !open_ || open_->end == open_->first) return std::nullopt;
  }
  return close_segment();
}

std::optional<journal_error> terminal_log::trim() {
  const std::lock_guard files{files_mutex_};
  const auto excess_from = [&](std::uint64_t first) {
    return extent_.durable - first > bytes_max_;
  };
  bool drop_open;
  {
    const std::lock_guard lock{mutex_};
    if (removed_ || !excess_from(extent_.first)) return std::nullopt;
    drop_open = open_ && open_->end > open_->first && excess_from(open_->first);
  }
  if (drop_open)
    if (auto failed = close_segment()) return failed;
  if (auto failed = ensure_mark()) return failed;
  std::vector<segment> dropped;
  bulk_extent now;
  {
    const std::lock_guard lock{mutex_};
    auto kept = closed_.begin();
    while (kept != closed_.end() && excess_from(kept->first)) ++kept;
    dropped.assign(closed_.begin(), kept);
    closed_.erase(closed_.begin(), kept);
    extent_.first = !closed_.empty() ? closed_.front().first
                    : open_          ? open_->first
                                     : extent_.durable;
    now = extent_;
  }
  // Where the terminal begins and ends must be on the disk before the files that show it are gone.
  if (auto failed = mark_->write(mark_of(now.first, now.durable))) return failed;
  if (auto failed = mark_->sync()) return failed;
  std::error_code ignored;  // what cannot be removed is only space; a restart sees it again
  for (const auto& each : dropped) std::filesystem::remove(each.path, ignored);
  return std::nullopt;
}

journal_result<bool> terminal_log::compress_one() {
  std::optional<segment> raw;
  {
    const std::lock_guard lock{mutex_};
    const auto found = std::find_if(closed_.begin(), closed_.end(), [](const segment& each) {
      return each.stored == segment::form::raw;
    });
    if (found == closed_.end()) return false;
    raw = *found;
  }
  segment packed{folder_ / segment::closed_name(raw->first, raw->end, segment::form::compressed),
                 segment::form::compressed,
                 raw->first,
                 raw->end,
                 {}};
  const auto unfinished = packed.path.string() + ".tmp";
  auto failed = compress(*raw, seed_, unfinished);
  if (failed && failed->code == journal_errc::not_found) return true;  // dropped meanwhile
  if (failed) return *failed;
  const std::lock_guard files{files_mutex_};  // closed_ does not change either while it is held
  const auto found = std::find_if(closed_.begin(), closed_.end(), [&](const segment& each) {
    return each.first == raw->first && each.stored == segment::form::raw;
  });
  std::error_code error;
  if (found == closed_.end()) {
    std::filesystem::remove(unfinished, error);
    return true;
  }
  std::filesystem::rename(unfinished, packed.path, error);
  if (!error) failed = sync_folder(folder_);
  if (error || failed)
    return failed ? *failed
                  : journal_error{journal_errc::io, packed.path.string() + ": " + error.message(),
                                  std::nullopt};
  {
    const std::lock_guard lock{mutex_};
    *found = packed;
  }
  std::filesystem::remove(raw->path, error);
  return true;
}

void terminal_log::close_files() {
  const std::lock_guard files{files_mutex_};
  file_ = {};
  mark_.reset();
}

}  // namespace berth
