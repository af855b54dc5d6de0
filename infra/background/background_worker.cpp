#include "infra/background/background_worker.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace berth {
namespace {

constexpr int niceness = 10;  // as the compressor: a lock it holds must not wait for an idle moment

}  // namespace

background_worker::background_worker() : thread_{[this] { work_loop(); }} {}

void background_worker::run(std::function<void()> work) {
  {
    const std::lock_guard lock{mutex_};
    if (stopping_) return;
    queued_.push_back(std::move(work));
  }
  ready_.notify_one();
}

void background_worker::stop() {
  std::deque<std::function<void()>> forgotten;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    forgotten.swap(queued_);
  }
  ready_.notify_one();
  forgotten.clear();
  if (thread_.joinable()) thread_.join();
}

void background_worker::work_loop() {
  ::pthread_setname_np(::pthread_self(), "background");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
  std::unique_lock lock{mutex_};
  for (;;) {
    ready_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    if (stopping_) return;
    auto work = std::move(queued_.front());
    queued_.pop_front();
    lock.unlock();
    work();
    work = {};
    lock.lock();
  }
}

}  // namespace berth
