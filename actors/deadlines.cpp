#include "actors/deadlines.hpp"

#include <vector>

namespace berth::actors {

void deadlines::arm(const stream_id& stream, timestamp when) {
  const std::lock_guard lock{mutex_};
  if (const auto known = streams_.find(stream); known != streams_.end()) {
    const auto at = *known;
    streams_.erase(known);
    auto node = times_.extract(at);
    node.key() = when;
    streams_.insert(times_.insert(std::move(node)));
  } else {
    streams_.insert(times_.emplace(when, stream));
  }
  schedule();
}

std::size_t deadlines::armed() const {
  const std::lock_guard lock{mutex_};
  return times_.size();
}

std::size_t deadlines::timers_set() const {
  const std::lock_guard lock{mutex_};
  return set_.size();
}

void deadlines::schedule() {
  if (times_.empty()) return;
  const auto first = times_.begin()->first;
  if (!set_.empty() && *set_.begin() <= first) return;
  set_.insert(first);
  timers_.at(first, [this, first] { fire(first); });
}

void deadlines::fire(timestamp set_for) {
  std::vector<stream_id> due;
  {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.now();
    while (!times_.empty() && times_.begin()->first <= now) {
      streams_.erase(times_.begin());
      due.push_back(std::move(times_.extract(times_.begin()).mapped()));
    }
    set_.erase(set_for);
    schedule();
  }
  for (const auto& stream : due) wake_(stream);
}

}  // namespace berth::actors
