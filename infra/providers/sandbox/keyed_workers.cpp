#include "infra/providers/sandbox/keyed_workers.hpp"

namespace berth {

keyed_workers::keyed_workers(std::size_t threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

keyed_workers::~keyed_workers() {
  stop();
}

void keyed_workers::stop() {
  {
    const std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

bool keyed_workers::post(const std::string& key, std::function<void()> job) {
  {
    const std::lock_guard hold(mutex_);
    if (count_ >= jobs_max_ || stopping_) return false;
    ++count_;
    auto& queue = jobs_[key];
    queue.push_back(std::move(job));
    if (queue.size() > 1) return true;  // the one before makes it runnable
    runnable_.push_back(key);
  }
  ready_.notify_one();
  return true;
}

std::size_t keyed_workers::queued() const {
  const std::lock_guard hold(mutex_);
  return count_;
}

void keyed_workers::run() {
  std::unique_lock hold(mutex_);
  while (true) {
    ready_.wait(hold, [this] { return !runnable_.empty() || (stopping_ && count_ == 0); });
    if (runnable_.empty()) return;
    const auto key = std::move(runnable_.front());
    runnable_.pop_front();
    // It stays at the front while it runs, so that a later post of this key waits.
    const auto job = jobs_[key].front();
    hold.unlock();
    job();
    hold.lock();
    --count_;
    auto& queue = jobs_[key];
    queue.pop_front();
    if (queue.empty())
      jobs_.erase(key);
    else
      runnable_.push_back(key);
    if (!runnable_.empty()) ready_.notify_one();
    if (stopping_ && count_ == 0) ready_.notify_all();
  }
}

}  // namespace berth
