#include "actors/screen_tracker.hpp"

#include <algorithm>
#include <utility>

#include "events/core/invariant.hpp"

namespace berth::actors {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::uint64_t piece_bytes = 1 << 20;  // elsewhere, at once
constexpr const char* cancel = "\x18";          // CAN ends a sequence that is not whole (ECMA-48)

}  // namespace

screen_tracker::screen_tracker(terminal_id id, const kernel_options& options, std::uint16_t cols,
                               std::uint16_t rows, work_later later,
                               std::function<void()> progressed)
    : id_{std::move(id)},
      options_{options},
      size_{cols, rows},
      later_{std::move(later)},
      progressed_{std::move(progressed)} {
  tracked_->at = options.bulk.extent(id_).first;
}

void screen_tracker::begin(tracked& one, const kernel_options& options, const terminal_id& id,
                           size as) {
  one.emulator = options.make_screen(as.cols, as.rows);
  one.at = options.bulk.extent(id).first;
}

// Goes on at the first whole line of what is kept.
void screen_tracker::skip(tracked& one, const kernel_options& options, const terminal_id& id,
                          std::uint64_t end) {
  one.emulator->feed(cancel);
  one.at = end - kept_bytes;
  const auto read = options.bulk.read(id, one.at, read_bytes);
  const auto line = read ? read->find('\n') : std::string::npos;
  if (line != std::string::npos) one.at += line + 1;
}

void screen_tracker::advance(tracked& one, const kernel_options& options, const terminal_id& id,
                             size as, std::uint64_t end, std::uint64_t budget) {
  if (!one.emulator) begin(one, options, id, as);
  if (end - one.at > backlog_bytes_max) skip(one, options, id, end);
  while (one.at < end && budget > 0) {
    const auto wanted = std::min<std::uint64_t>({read_bytes, end - one.at, budget});
    const auto read = options.bulk.read(id, one.at, static_cast<std::size_t>(wanted));
    if (!read || read->empty()) {
      // Retention may overtake an emulator that nobody needed for a while.
      one.is_unreadable = one.at >= options.bulk.extent(id).first;
      if (one.is_unreadable) return;
      begin(one, options, id, as);
      continue;
    }
    one.emulator->feed(*read);
    one.at += read->size();
    budget -= read->size();
  }
}

void screen_tracker::grew(std::uint64_t end) {
  end_ = end;
  if (!later_ || is_away_ || !options_.make_screen) return;
  if (tracked_->is_unreadable) return;  // until somebody asks
  if (end - tracked_->at > behind_bytes_max) work_elsewhere();
}

void screen_tracker::resized(std::uint16_t cols, std::uint16_t rows) {
  size_ = {cols, rows};
  if (is_away_)
    size_changed_ = true;
  else if (tracked_->emulator)
    tracked_->emulator->resize(cols, rows);
}

screen_tracker::state screen_tracker::catch_up(std::uint64_t end) {
  end_ = end;
  if (is_away_) return state::working;
  if (std::exchange(tracked_->is_unreadable, false)) return state::unreadable;
  if (later_ && end - tracked_->at > inline_bytes_max) {
    work_elsewhere();
    return state::working;
  }
  advance(*tracked_, options_, id_, size_, end, options_.limits.terminal_pump_bytes_max);
  if (std::exchange(tracked_->is_unreadable, false)) return state::unreadable;
  return tracked_->at < end ? state::behind : state::at_end;
}

void screen_tracker::work_elsewhere() {
  BERTH_ASSERT(!is_away_);
  is_away_ = true;
  later_([one = tracked_, &options = options_, id = id_, as = size_,
          end = end_] { advance(*one, options, id, as, end, piece_bytes); },
         [this, alive = std::weak_ptr<void>{alive_}] {
           if (!alive.expired()) came_back();
         });
}

void screen_tracker::came_back() {
  is_away_ = false;
  if (std::exchange(size_changed_, false) && tracked_->emulator)
    tracked_->emulator->resize(size_.cols, size_.rows);
  progressed_();
  grew(end_);
}

}  // namespace berth::actors
