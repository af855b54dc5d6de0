#include "actors/projection_driver.hpp"

#include <algorithm>

namespace berth {
namespace {

constexpr auto progress_every = std::chrono::milliseconds{200};
constexpr std::size_t fill_commits = 4'000;    // at once, behind everything else
constexpr std::uint64_t swap_commits = 4'000;  // so near to the live views the thread takes over

}  // namespace

projection_driver::projection_driver(journal& log, view_store& views,
                                     std::function<void(const journal_error&)> on_failure,
                                     background* behind)
    : log_{log},
      views_{views},
      on_failure_{std::move(on_failure)},
      behind_{behind},
      projector_{log, views} {
  projected_ = projector_.projected();
}

projection_driver::~projection_driver() {
  stop();
}

void projection_driver::start() {
  subscription_ = log_.follow([this](position) {
    const std::lock_guard lock{mutex_};
    is_behind_ = true;
    woken_.notify_one();
  });
  thread_ = std::thread{[this] { run(); }};
}

void projection_driver::stop() {
  subscription_.reset();
  {
    const std::lock_guard lock{mutex_};
    stopping_ = rebuilds_ended_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock{mutex_};
  tell_waiters(lock, true);
}

journal_cursor projection_driver::projected() const {
  const std::lock_guard lock{mutex_};
  return projected_;
}

bool projection_driver::knows(const std::string& view) const {
  const std::lock_guard lock{projecting_};
  const auto names = projector_.names();
  return std::find(names.begin(), names.end(), view) != names.end();
}

void projection_driver::when_projected(const journal_cursor& at, std::chrono::milliseconds wait_max,
                                       std::function<void(bool)> then) {
  constexpr std::size_t waiters_max = 10'000;
  bool now = false;
  {
    const std::lock_guard lock{mutex_};
    now = projected_.reaches(at);
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
    if (is_behind_ || rebuilding_) {
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
  is_behind_ = false;
  lock.unlock();
  std::unique_lock projecting{projecting_};
  const auto folded = projector_.step();
  lock.lock();  // before the other goes: a rebuild given back in between would be called over
  projected_ = projector_.projected();
  is_behind_ = is_behind_ || (folded && *folded > 0);
  const bool rebuilding = projector_.rebuilding();
  if (rebuilding_ != rebuilding) woken_.notify_all();
  rebuilding_ = rebuilding;
  if (folded) return;
  stopping_ = rebuilds_ended_ = true;
  projecting.unlock();
  lock.unlock();
  on_failure_(folded.error());
  lock.lock();
}

void projection_driver::tell_waiters(std::unique_lock<std::mutex>& lock, bool all) {
  std::vector<std::pair<std::function<void(bool)>, bool>> told;
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(waiters_, [&](waiter& each) {
    const bool there = projected_.reaches(each.at);
    if (!there && !all && each.until > now) return false;
    told.emplace_back(std::move(each.then), there);
    return true;
  });
  if (told.empty()) return;
  lock.unlock();
  for (auto& [then, there] : told) then(there);
  lock.lock();
}

void projection_driver::end_rebuilds() {
  const std::lock_guard lock{mutex_};
  rebuilds_ended_ = true;
  woken_.notify_all();
}

bool projection_driver::rebuilds_ended() const {
  const std::lock_guard lock{mutex_};
  return rebuilds_ended_;
}

bool projection_driver::run_behind(const std::function<void()>& work) {
  if (!behind_) return work(), true;
  struct piece {
    std::mutex mutex;  // held while it runs
    std::condition_variable changed;
    bool ran{}, given_up{};
  };
  const auto shared = std::make_shared<piece>();
  behind_->run([shared, &work] {
    const std::lock_guard lock{shared->mutex};
    if (shared->given_up) return;
    work();
    shared->ran = true;
    shared->changed.notify_all();
  });
  std::unique_lock lock{shared->mutex};
  while (!shared->changed.wait_for(lock, progress_every, [&] { return shared->ran; })) {
    shared->given_up = rebuilds_ended();
    if (shared->given_up) break;
  }
  return shared->ran;
}

bool projection_driver::fill(std::vector<view_target>& filling,
                             const std::function<void(std::uint64_t done)>& progress) {
  view_filler filler{log_, views_};
  std::optional<journal_error> failed;
  auto told = std::chrono::steady_clock::now();
  for (;;) {
    const auto live = projected();
    const auto upto = live.empty() ? heads_of(log_) : live;
    const auto first =
        std::min_element(filling.begin(), filling.end(), [](const auto& a, const auto& b) {
          return a.checkpoint.commits() < b.checkpoint.commits();
        });
    if (first->checkpoint.commits() + swap_commits >= upto.commits()) break;
    const bool ran = run_behind([&] {
      filler.forget_read();
      for (auto& each : filling) {
        const auto folded = filler.advance(each, fill_commits, upto, view_filler::kept::by_keep);
        if (!folded) failed = folded.error();
      }
    });
    if (!ran || failed) break;
    if (std::chrono::steady_clock::now() - told < progress_every) continue;
    told = std::chrono::steady_clock::now();
    progress(first->checkpoint.commits());
  }
  const bool kept = !failed && run_behind([&] {
    for (auto& each : filling) {
      if (!each.rows || failed) continue;
      if (const auto done = each.rows->keep(); !done) failed = done.error();
      each.rows.reset();
    }
  });
  if (failed) on_failure_(*failed);
  return kept && !failed && !rebuilds_ended();
}

bool projection_driver::swap(const std::vector<view_target>& filled,
                             const std::function<void(std::uint64_t done)>& progress) {
  std::unique_lock projecting{projecting_};
  projector_.take_back(filled);
  std::unique_lock lock{mutex_};
  rebuilding_ = true;
  projecting.unlock();
  woken_.notify_all();
  while (rebuilding_ && !rebuilds_ended_) {
    woken_.wait_for(lock, progress_every);
    lock.unlock();
    progress(projected().commits());
    lock.lock();
  }
  return !rebuilds_ended_;
}

std::optional<std::vector<rebuilt_view>> projection_driver::rebuild(
    const std::string& name, const std::function<void(std::uint64_t done)>& progress) {
  {
    const std::lock_guard lock{mutex_};
    if (filling_ || rebuilding_ || rebuilds_ended_) return std::nullopt;
    filling_ = true;
  }
  auto rebuilt = rebuild_beside(name, progress);
  const std::lock_guard lock{mutex_};
  filling_ = false;
  return rebuilt;
}

std::optional<std::vector<rebuilt_view>> projection_driver::rebuild_beside(
    const std::string& name, const std::function<void(std::uint64_t done)>& progress) {
  std::vector<view_target> filling;
  {
    const std::lock_guard projecting{projecting_};
    filling = projector_.lend_rebuild(name);
  }
  if (filling.empty() || !fill(filling, progress) || !swap(filling, progress)) return std::nullopt;
  std::vector<rebuilt_view> result;
  for (const auto& each : filling) {
    std::optional<view_comparison> swapped;
    {
      const std::lock_guard projecting{projecting_};
      swapped = projector_.take_comparison(each.of.name);
    }
    std::optional<bool> identical;
    if (!swapped) identical = false;
    while (!identical) {
      if (!run_behind([&] { identical = swapped->compare_some(); })) return std::nullopt;
    }
    const view_generation live{each.of.name, views_.live_generation(each.of.name)};
    journal_cursor checkpoint;
    for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition)
      if (const auto at = views_.checkpoint(live, partition)) checkpoint.set(*at);
    result.push_back({live.name, live.generation, checkpoint.commits(), *identical});
  }
  return result;
}

}  // namespace berth
