#include "infra/agent/loop/event_loop.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "events/core/invariant.hpp"

namespace berth::agent {
namespace {
constexpr int events_a_turn_max = 64;
constexpr std::chrono::milliseconds wait_max{60'000};

// The generation keeps an event of a closed descriptor from reaching the next owner of its number.
epoll_event tagged(int fd, std::uint32_t generation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
  return event;
}
}  // namespace

event_loop::event_loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
  BERTH_ASSERT(epoll_);
}

void event_loop::add(int fd, std::uint32_t events, handler on_events) {
  BERTH_ASSERT(fd >= 0 && !watches_.contains(fd));
  const auto generation = ++last_generation_;
  auto event = tagged(fd, generation, events);
  BERTH_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  watches_.emplace(fd, watch{generation, events, std::make_shared<handler>(std::move(on_events))});
}

void event_loop::change(int fd, std::uint32_t events) {
  const auto found = watches_.find(fd);
  BERTH_ASSERT(found != watches_.end());
  if (found->second.events == events) return;
  auto event = tagged(fd, found->second.generation, events);
  BERTH_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
  found->second.events = events;
}

void event_loop::remove(int fd) {
  if (watches_.erase(fd) == 0) return;
  BERTH_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0);
}

event_loop::timer_id event_loop::after(std::chrono::milliseconds delay,
                                       std::function<void()> task) {
  const auto id = ++last_timer_;
  const auto at = clock::now() + delay;
  timers_.emplace(std::pair{at, id}, std::move(task));
  timer_times_.emplace(id, at);
  return id;
}

void event_loop::cancel(timer_id timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
}

int event_loop::wait_ms(std::chrono::milliseconds limit) const {
  auto wait = std::min(limit, wait_max);
  if (!timers_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - clock::now());
    wait = std::clamp(left, std::chrono::milliseconds{0}, wait);
  }
  return static_cast<int>(wait.count());
}

void event_loop::run_timers() {
  const auto now = clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto due = timers_.extract(timers_.begin());
    timer_times_.erase(due.key().second);
    due.mapped()();
  }
}

void event_loop::run_once(std::chrono::milliseconds wait) {
  std::array<epoll_event, events_a_turn_max> ready{};
  const int count = ::epoll_wait(epoll_.get(), ready.data(), events_a_turn_max, wait_ms(wait));
  BERTH_ASSERT(count >= 0 || errno == EINTR);
  for (int i = 0; i < count; ++i) {
    const auto fd = static_cast<int>(static_cast<std::uint32_t>(ready[i].data.u64));
    const auto found = watches_.find(fd);
    if (found == watches_.end() || found->second.generation != ready[i].data.u64 >> 32) continue;
    const auto keep = found->second.on_events;  // The handler may remove itself.
    (*keep)(ready[i].events);
  }
  run_timers();
}

void event_loop::run() {
  while (!stopped_) run_once(wait_max);
}

}  // namespace berth::agent
