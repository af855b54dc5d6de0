// When a stream wants to be woken whether it is in memory or not: one time a stream, the last it
// asked for. A month of idle sessions costs one row each. Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_set>

#include "actors/timers.hpp"
#include "events/core/ids.hpp"

namespace berth::actors {

class deadlines {
 public:
  // `wake` is called on the timers' thread. Both outlive it.
  deadlines(timers& by, const clock& time, std::function<void(const stream_id&)> wake)
      : timers_{by}, clock_{time}, wake_{std::move(wake)} {}

  void arm(const stream_id& stream, timestamp when);
  std::size_t armed() const;

 private:
  using by_time = std::multimap<timestamp, stream_id>;
  struct by_stream {
    using is_transparent = void;
    static const stream_id& of(const stream_id& stream) { return stream; }
    static const stream_id& of(by_time::iterator at) { return at->second; }
    std::size_t operator()(const auto& each) const { return std::hash<stream_id>{}(of(each)); }
    bool operator()(const auto& one, const auto& other) const { return of(one) == of(other); }
  };
  void fire();
  void schedule();

  timers& timers_;
  const clock& clock_;
  const std::function<void(const stream_id&)> wake_;
  mutable std::mutex mutex_;
  by_time times_;
  std::unordered_set<by_time::iterator, by_stream, by_stream> streams_;
  std::optional<timestamp> next_;  // of our timer that is due first
};

}  // namespace berth::actors
