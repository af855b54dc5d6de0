// One-shot timers on the kernel's clock, one thread; none in simulation, where the owner fires what
// is due. CAF's delayed messages are not used: a cancelled one would stay in memory until it
// expires.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "actors/ports/clock.hpp"

namespace berth::actors {

class timers {
 public:
  timers(const clock& time, bool simulated);
  ~timers();
  timers(const timers&) = delete;
  timers& operator=(const timers&) = delete;

  // Runs `what` once at or soon after `when` (within 20 ms), on the timer thread; it must not
  // block. Any thread.
  void at(timestamp when, std::function<void()> what);
  void after(std::chrono::microseconds delay, std::function<void()> what) {
    at(clock_.now() + delay, std::move(what));
  }
  void stop();

  std::size_t fire_due();  // simulation
  std::optional<timestamp> next() const;

 private:
  void run();

  const clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<timestamp, std::function<void()>> due_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace berth::actors
