// Two ways to load a system: as fast as it answers, and at a rate whatever it answers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/bench/measure.hpp"

namespace berth::bench {

// `count` calls of ask(i, done), at most `in_flight` of them not done. Microseconds each took.
inline std::vector<double> closed_loop(
    std::size_t count, std::size_t in_flight,
    const std::function<void(std::size_t, std::function<void()>)>& ask) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t open = 0, answered = 0;
  std::vector<double> us(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return open < in_flight; });
    ++open;
    lock.unlock();
    ask(i, [&, i, began = steady::now()] {
      us[i] = us_since(began);
      const std::lock_guard guard{mutex};
      --open;
      ++answered;
      changed.notify_one();
    });
  }
  std::unique_lock lock{mutex};
  changed.wait(lock, [&] { return answered == count; });
  return us;
}

// Calls ask(i) at `per_second` for as long as goes_on(seconds passed) says so, late ones at once.
// Answers how many a second it came to: this thread may not be able to ask so often.
inline double open_loop(double per_second, const std::function<bool(double)>& goes_on,
                        const std::function<void(std::size_t)>& ask) {
  constexpr std::chrono::microseconds pause{200};
  const auto began = steady::now();
  std::size_t asked = 0;
  auto passed = 0.0;
  for (; goes_on(passed); passed = seconds_since(began)) {
    if (static_cast<double>(asked) < passed * per_second)
      ask(asked++);
    else
      std::this_thread::sleep_for(pause);
  }
  return static_cast<double>(asked) / passed;
}

}  // namespace berth::bench
