// When a stream wants to be woken whether it is in memory or not: one time a stream, the last it
// asked for. A month of idle sessions costs one row each. Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <unordered_set>

#include "actors/by_stream.hpp"
#include "actors/timers.hpp"

namespace berth::actors {

class deadlines {
 public:
  // `wake` is called on the timers' thread. Both outlive it.
  deadlines(timers& by, const clock& time, std::function<void(const stream_id&)> wake)
      : timers_{by}, clock_{time}, wake_{std::move(wake)} {}

  void arm(const stream_id& stream, timestamp when);
  std::size_t armed() const;
  std::size_t timers_set() const;

 private:
  using by_time = std::multimap<timestamp, stream_id>;
  static const stream_id& stream_of(const by_time::iterator& at) { return at->second; }
  using of_stream = by_stream<by_time::iterator, stream_of>;
  void fire(timestamp set_for);
  void schedule();

  timers& timers_;
  const clock& clock_;
  const std::function<void(const stream_id&)> wake_;
  mutable std::mutex mutex_;
  by_time times_;
  std::unordered_set<by_time::iterator, of_stream, of_stream> streams_;
  std::set<timestamp>
      set_;  // our timers that have not fired; one is due no later than times_ begins
};

}  // namespace berth::actors
