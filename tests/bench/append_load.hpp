// Appends to a journal as fast as it answers.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "events/core/journal.hpp"
#include "tests/bench/measure.hpp"
#include "tests/support/journal_sample.hpp"

namespace berth::bench {

// Keeps a number of appends in flight and measures each.
class append_load : public append_listener, public std::enable_shared_from_this<append_load> {
 public:
  append_load(journal& to, std::size_t in_flight, std::size_t streams)
      : to_{to}, in_flight_max_{in_flight}, next_version_(streams, 1) {
    for (std::size_t s = 0; s < streams; ++s)
      streams_.push_back(testing::stream_named("bench" + std::to_string(s)));
  }

  // Until `seconds` have passed or `commits` were appended; returns commits a second.
  double run(double seconds, std::size_t commits = ~std::size_t{0}) {
    const auto began = steady::now();
    const auto self = shared_from_this();
    while (started_.size() < commits && us_since(began) < seconds * 1e6) {
      {
        std::unique_lock lock{mutex_};
        room_.wait(lock, [&] { return started_.size() - us_.size() < in_flight_max_; });
        started_.push_back(steady::now());
      }
      const auto n = started_.size() - 1;
      const auto s = n % streams_.size();
      auto body = testing::sample_body(streams_[s], next_version_[s]++, ++number, 1, 100);
      while (const auto refused = to_.append(body, n, self)) {
        if (!refused->retryable()) std::abort();
        ++refusals;
        std::this_thread::yield();
      }
    }
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return us_.size() == started_.size(); });
    return static_cast<double>(us_.size()) / (us_since(began) / 1e6);
  }

  void appended(std::span<const append_result> results) override {
    const auto now = steady::now();
    const std::lock_guard lock{mutex_};
    for (const auto& result : results) {
      if (result.error) std::abort();
      us_.push_back(
          std::chrono::duration<double, std::micro>(now - started_[result.ticket]).count());
    }
    room_.notify_one();
  }

  std::vector<double>& latencies() { return us_; }
  std::size_t refusals{};
  static inline std::uint64_t number{};

 private:
  journal& to_;
  const std::size_t in_flight_max_;
  std::vector<stream_id> streams_;
  std::vector<std::uint64_t> next_version_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<steady::time_point> started_;
  std::vector<double> us_;
};

}  // namespace berth::bench
