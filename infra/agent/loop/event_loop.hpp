// One thread's epoll loop with timers. Used by the program and by the server's reactor; not
// thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

class event_loop {
 public:
  using clock = std::chrono::steady_clock;
  using handler = std::function<void(std::uint32_t events)>;
  using timer_id = std::uint64_t;

  event_loop();

  // Level-triggered. The handler may add, change and remove any descriptor, itself included.
  void add(int fd, std::uint32_t events, handler on_events);
  void change(int fd, std::uint32_t events);
  void remove(int fd);  // before the descriptor is closed; no-op if it is not there
  bool watches(int fd) const { return watches_.contains(fd); }

  timer_id after(std::chrono::milliseconds delay, std::function<void()> task);
  void cancel(timer_id timer);

  void run();  // until stop()
  void stop() { stopped_ = true; }
  // Waits for events at most `wait`, runs what is due, returns.
  void run_once(std::chrono::milliseconds wait);

 private:
  struct watch {
    std::uint32_t generation;
    std::uint32_t events;
    std::shared_ptr<handler> on_events;
  };
  int wait_ms(std::chrono::milliseconds limit) const;
  void run_timers();

  unique_fd epoll_;
  std::unordered_map<int, watch> watches_;
  std::map<std::pair<clock::time_point, timer_id>, std::function<void()>> timers_;
  std::unordered_map<timer_id, clock::time_point> timer_times_;
  timer_id last_timer_ = 0;
  std::uint32_t last_generation_ = 0;
  bool stopped_ = false;
};

}  // namespace berth::agent
