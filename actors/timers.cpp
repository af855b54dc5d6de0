#include "actors/timers.hpp"

#include <vector>

namespace berth::actors {

timers::timers(const clock& time, bool simulated) : clock_{time} {
  if (!simulated) thread_ = std::thread{[this] { run(); }};
}

timers::~timers() {
  stop();
}

void timers::at(timestamp when, std::function<void()> what) {
  bool sooner = false;
  {
    const std::lock_guard lock{mutex_};
    if (stopping_) return;
    sooner = due_.empty() || when < due_.begin()->first;
    due_.emplace(when, std::move(what));
  }
  if (sooner) changed_.notify_one();
}

void timers::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    due_.clear();
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::size_t timers::fire_due() {
  std::vector<std::function<void()>> now_due;
  {
    const std::lock_guard lock{mutex_};
    const auto end = due_.upper_bound(clock_.now());
    for (auto it = due_.begin(); it != end; ++it) now_due.push_back(std::move(it->second));
    due_.erase(due_.begin(), end);
  }
  for (auto& each : now_due) each();
  return now_due.size();
}

std::optional<timestamp> timers::next() const {
  const std::lock_guard lock{mutex_};
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

void timers::run() {
  // The clock may be stepped by an administrator, so a wait is never longer than this.
  constexpr auto wait_max = std::chrono::seconds{1};
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    auto wait = std::chrono::duration_cast<std::chrono::microseconds>(wait_max);
    if (!due_.empty()) wait = std::min(wait, due_.begin()->first - clock_.now());
    if (wait.count() > 0) {
      changed_.wait_for(lock, wait);
      continue;
    }
    lock.unlock();
    fire_due();
    lock.lock();
  }
}

}  // namespace berth::actors
