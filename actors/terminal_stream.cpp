#include "actors/terminal_stream.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

terminal_stream::terminal_stream(terminal_id id, const kernel_options& options, std::uint16_t cols,
                                 std::uint16_t rows, screen_tracker::work_later later,
                                 std::function<void()> progressed)
    : id_{std::move(id)},
      options_{options},
      cols_{cols},
      rows_{rows},
      screen_{id_, options, cols, rows, std::move(later), std::move(progressed)} {
  const auto known = options_.bulk.extent(id_);
  end_ = known.next;
  durable_ = known.durable;
}

terminal_stream::taken terminal_stream::chunk(std::uint64_t offset, const shared_bytes& data) {
  if (offset > end_) return taken::hole;
  const auto repeated = end_ - offset;
  if (repeated >= data->size()) return taken::all;
  const auto fresh = repeated == 0 ? data : share(data->substr(repeated));
  const auto next = options_.bulk.append(id_, end_, fresh, options_.clock.now());
  if (next < end_ + fresh->size()) return taken::refused;
  hot_.push_back({end_, fresh});
  hot_bytes_ += fresh->size() + hot_chunk_overhead;
  end_ += fresh->size();
  forget_delivered();
  screen_.grew(end_);
  return taken::all;
}

// Memory is for viewers close behind; the others read the bulk log. Chunks may be single letters,
// so each counts for what it costs.
void terminal_stream::forget_delivered() {
  const auto cost = [](const hot_chunk& chunk) { return chunk.data->size() + hot_chunk_overhead; };
  auto needed_from = end_;
  for (const auto& [number, viewer] : viewers_) needed_from = std::min(needed_from, viewer.cursor);
  while (!hot_.empty() &&
         (hot_.front().offset + hot_.front().data->size() <= needed_from ||
          (hot_bytes_ > options_.limits.terminal_hot_bytes_max && hot_.size() > 1))) {
    hot_bytes_ -= cost(hot_.front());
    hot_.pop_front();
  }
}

void terminal_stream::synced(std::uint64_t durable) {
  if (durable <= durable_) return;
  durable_ = durable;
  for (auto& [number, viewer] : viewers_) viewer.out->durable(durable_);
}

void terminal_stream::resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows) {
  if (cols == cols_ && rows == rows_) return;
  cols_ = cols;
  rows_ = rows;
  screen_.resized(cols, rows);
  for (auto& [number, viewer] : viewers_) viewer.out->resized(offset, cols, rows);
}

void terminal_stream::driver_is(const session_id& driver) {
  if (driver == driver_) return;
  driver_ = driver;
  for (auto& [number, viewer] : viewers_) viewer.out->driver_changed(driver);
}

void terminal_stream::ended(const terminal::ended& end) {
  ended_ = end;
  for (auto it = viewers_.begin(); it != viewers_.end();) {
    const auto now = it++;
    if (now->second.cursor > end.final_offset) {
      now->second.out->failed(reject(
          rejection_code::limit_exceeded,
          "truncated: the terminal ended at offset " + std::to_string(end.final_offset), "from"));
      viewers_.erase(now);
    }
  }
}

rejection terminal_stream::expired(std::uint64_t first) {
  return reject(rejection_code::limit_exceeded,
                "expired: the first offset kept is " + std::to_string(first), "from");
}

outcome<std::uint64_t> terminal_stream::attach(stream_viewer viewer) {
  if (viewers_.size() >= options_.limits.viewers_per_terminal_max)
    return reject(rejection_code::limit_exceeded,
                  "the terminal has " + std::to_string(viewers_.size()) + " viewers, its bound");
  const auto first = options_.bulk.extent(id_).first;
  if (viewer.cursor == ~std::uint64_t{0}) viewer.cursor = end_;
  if (BERTH_MUTANT(cursor_beyond_end_pulled_back)) viewer.cursor = std::min(viewer.cursor, end_);
  if (ended_ && viewer.cursor > ended_->final_offset)
    return reject(rejection_code::limit_exceeded,
                  "truncated: the terminal ended at offset " + std::to_string(ended_->final_offset),
                  "from");
  if (viewer.cursor < first) {
    if (viewer.mode == attach_mode::exact) return expired(first);
    viewer.wants_snapshot = true;
  }
  if (viewer.mode == attach_mode::screen &&
      end_ > viewer.cursor + options_.limits.screen_lag_bytes_max)
    viewer.wants_snapshot = true;
  if (BERTH_MUTANT(attach_skips_a_byte) && viewer.cursor > 0 && viewer.cursor < end_)
    ++viewer.cursor;
  const auto number = ++next_viewer_;
  viewers_.emplace(number, std::move(viewer));
  return number;
}

void terminal_stream::credit(std::uint64_t number, std::uint64_t consumed, std::uint64_t until,
                             timestamp now) {
  auto* viewer = find(number);
  if (!viewer || consumed > viewer->cursor) return;
  viewer->credited_at = now;
  viewer->credit_until = std::max(viewer->credit_until, until);
}

stream_viewer* terminal_stream::find(std::uint64_t number) {
  const auto found = viewers_.find(number);
  return found == viewers_.end() ? nullptr : &found->second;
}

bool terminal_stream::pump() {
  bool more = false;
  for (auto it = viewers_.begin(); it != viewers_.end();) {
    const auto now = it++;
    more = pump(now->second) || more;
    if (now->second.is_over) {
      viewers_.erase(now);
      continue;
    }
    if (ended_ && now->second.cursor >= ended_->final_offset && !now->second.wants_snapshot) {
      finish(now->second);
      viewers_.erase(now);
    }
  }
  forget_delivered();
  return more;
}

bool terminal_stream::pump(stream_viewer& viewer) {
  if (viewer.mode == attach_mode::screen) {
    if (end_ > viewer.cursor + options_.limits.screen_lag_bytes_max) viewer.wants_snapshot = true;
    if (viewer.wants_snapshot) return paint(viewer);
  }
  return deliver(viewer,
                 BERTH_MUTANT(credit_not_checked) ? end_ : std::min(end_, viewer.credit_until));
}

bool terminal_stream::deliver(stream_viewer& viewer, std::uint64_t until) {
  std::uint64_t budget = options_.limits.terminal_pump_bytes_max;
  while (viewer.cursor < until) {
    if (budget == 0) return true;
    const auto from = find_bytes(viewer.cursor);
    if (!from) return unreadable(viewer);
    const auto skip = viewer.cursor - from->offset;
    const auto size = std::min({from->data->size() - skip, until - viewer.cursor, budget});
    viewer.out->output(viewer.cursor, from->data, skip, size);
    viewer.cursor += size;
    budget -= size;
  }
  return false;
}

// What a viewer is to get next is not there any more: retention overtook it, or the disk fails.
bool terminal_stream::unreadable(stream_viewer& viewer) {
  const auto first = options_.bulk.extent(id_).first;
  if (viewer.cursor < first && viewer.mode == attach_mode::screen && !viewer.wants_snapshot)
    return viewer.wants_snapshot = true;
  viewer.out->failed(
      viewer.cursor < first
          ? expired(first)
          : reject(rejection_code::unavailable,
                   "the bytes from offset " + std::to_string(viewer.cursor) + " cannot be read"));
  viewer.is_over = true;
  return false;
}

std::optional<terminal_stream::hot_chunk> terminal_stream::find_bytes(std::uint64_t from) {
  constexpr std::size_t read_bytes = 64 * 1024;
  BERTH_ASSERT(from < end_);
  if (!hot_.empty() && from >= hot_.front().offset) {
    auto after = std::upper_bound(
        hot_.begin(), hot_.end(), from,
        [](std::uint64_t offset, const hot_chunk& chunk) { return offset < chunk.offset; });
    return *std::prev(after);
  }
  auto read = options_.bulk.read(id_, from, read_bytes);
  if (!read || read->empty()) return std::nullopt;
  return hot_chunk{from, share(std::move(*read))};
}

bool terminal_stream::paint(stream_viewer& viewer) {
  if (!options_.make_screen) {
    viewer.wants_snapshot = false;
    return true;
  }
  const auto now = screen_.catch_up(end_);
  if (now == screen_tracker::state::unreadable) return unreadable(viewer);
  if (now != screen_tracker::state::at_end) return now == screen_tracker::state::behind;
  const auto at = screen_.at();
  if (at > viewer.cursor && !BERTH_MUTANT(gap_not_told)) viewer.out->gap(viewer.cursor, at);
  viewer.out->snapshot(at, cols_, rows_, share(screen_.snapshot()));
  viewer.cursor = at;
  viewer.credit_until = std::max(viewer.credit_until, viewer.cursor);
  viewer.wants_snapshot = false;
  return viewer.cursor < std::min(end_, viewer.credit_until);
}

void terminal_stream::finish(stream_viewer& viewer) {
  viewer.out->ended(*ended_);
}

std::uint64_t terminal_stream::read_until(timestamp now) const {
  const auto bound = durable_ + options_.limits.terminal_free_window_bytes;
  std::optional<std::uint64_t> driven;
  for (const auto& [number, viewer] : viewers_) {
    if (viewer.right != attach_right::drive || viewer.session != driver_) continue;
    if (viewer.credited_at + options_.limits.driver_silence_max < now &&
        viewer.cursor >= viewer.credit_until)
      continue;
    driven = std::max(driven.value_or(0), viewer.credit_until);
  }
  return driven ? std::min(bound, std::max(*driven, end_)) : bound;
}

}  // namespace berth::actors
