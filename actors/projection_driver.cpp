#include "actors/projection_driver.hpp"

#include <algorithm>

namespace berth {

projection_driver::projection_driver(journal& log, view_store& views,
                                     std::function<void(const journal_error&)> on_failure)
    : log_{log}, views_{views}, on_failure_{std::move(on_failure)}, projector_{log, views} {
  projected_ = projector_.projected();
}

projection_driver::~projection_driver() {
  stop();
}

void projection_driver::start() {
  subscription_ = log_.follow([this](position) {
    const std::lock_guard lock{mutex_};
    behind_ = true;
    woken_.notify_one();
  });
  thread_ = std::thread{[this] { run(); }};
}

void projection_driver::stop() {
  subscription_.reset();
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock{mutex_};
  tell_waiters(lock, true);
}

position projection_driver::projected() const {
  const std::lock_guard lock{mutex_};
  return projected_;
}

bool projection_driver::knows(const std::string& view) const {
  const std::lock_guard lock{projecting_};
  const auto names = projector_.names();
  return std::find(names.begin(), names.end(), view) != names.end();
}

void projection_driver::when_projected(position at, std::chrono::milliseconds wait_max,
                                       std::function<void(bool)> then) {
  constexpr std::size_t waiters_max = 10'000;
  bool now = false;
  {
    const std::lock_guard lock{mutex_};
    now = projected_.offset >= at.offset;
    if (!now && !stopping_ && waiters_.size() < waiters_max) {
      waiters_.push_back({at, std::chrono::steady_clock::now() + wait_max, std::move(then)});
      woken_.notify_one();
      return;
    }
  }
  then(now);
}

void projection_driver::run() {
  constexpr auto idle_wait = std::chrono::seconds{1};
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    if (behind_ || rebuilding_) {
      fold(lock);
      tell_waiters(lock, false);
      continue;
    }
    auto until = std::chrono::steady_clock::now() + idle_wait;
    for (const auto& each : waiters_) until = std::min(until, each.until);
    woken_.wait_until(lock, until);
    tell_waiters(lock, false);
  }
}

// One batch; the lock is not held while folding.
void projection_driver::fold(std::unique_lock<std::mutex>& lock) {
  behind_ = false;
  lock.unlock();
  journal_result<std::size_t> folded = 0;
  position now;
  bool rebuilding = false;
  {
    const std::lock_guard projecting{projecting_};
    folded = projector_.step();
    now = projector_.projected();
    rebuilding = projector_.rebuilding();
  }
  if (!folded) on_failure_(folded.error());
  lock.lock();
  projected_ = now;
  behind_ = behind_ || (folded && *folded > 0);
  if (rebuilding_ != rebuilding) woken_.notify_all();
  rebuilding_ = rebuilding;
  if (!folded) stopping_ = true;
}

void projection_driver::tell_waiters(std::unique_lock<std::mutex>& lock, bool all) {
  std::vector<std::pair<std::function<void(bool)>, bool>> told;
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(waiters_, [&](waiter& each) {
    const bool there = projected_.offset >= each.at.offset;
    if (!there && !all && each.until > now) return false;
    told.emplace_back(std::move(each.then), there);
    return true;
  });
  if (told.empty()) return;
  lock.unlock();
  for (auto& [then, there] : told) then(there);
  lock.lock();
}

std::optional<std::vector<rebuilt_view>> projection_driver::rebuild(
    const std::string& name, const std::function<void(std::uint64_t done)>& progress) {
  constexpr auto progress_every = std::chrono::milliseconds{200};
  std::vector<rebuilt_view> result;
  std::vector<std::pair<std::string, std::uint32_t>> before;
  {
    std::unique_lock lock{mutex_};
    if (rebuilding_ || stopping_) return std::nullopt;
    lock.unlock();
    const std::lock_guard projecting{projecting_};
    for (const auto& each : projector_.names())
      if (name.empty() || each == name) before.emplace_back(each, views_.live_generation(each));
    if (!projector_.start_rebuild(name)) return std::nullopt;
  }
  std::unique_lock lock{mutex_};
  rebuilding_ = true;
  woken_.notify_all();
  while (rebuilding_ && !stopping_) {
    woken_.wait_for(lock, progress_every);
    lock.unlock();
    progress(projected_.offset);
    lock.lock();
  }
  if (stopping_) return std::nullopt;
  lock.unlock();
  const std::lock_guard projecting{projecting_};
  for (const auto& [view, generation] : before) {
    const auto live = views_.live_generation(view);
    const auto checkpoint = views_.checkpoint({view, live}, 0);
    result.push_back(
        {view, live, checkpoint ? checkpoint->offset : 0, projector_.rebuilt_identical(view)});
  }
  return result;
}

}  // namespace berth
