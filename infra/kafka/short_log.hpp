// Whether a log that says it ends before what was read of it has lost something, or is only asked
// of a broker that was stopped, woke up and still takes itself for the leader: that passes. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

namespace berth {

class short_log {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds passes_within{5};
  static constexpr std::chrono::seconds seen_every{2};  // looks further apart are of two incidents

  enum class finding : std::uint8_t { whole, perhaps, lost };
  // `end` as the log says now, `next_offset` as it was read.
  finding look(std::uint64_t end, std::uint64_t next_offset, time now) {
    if (end >= next_offset) return is_short_ = false, finding::whole;
    if (!std::exchange(is_short_, true) || now - last_ > seen_every) since_ = now;
    last_ = now;
    return now - since_ < passes_within ? finding::perhaps : finding::lost;
  }

 private:
  bool is_short_{};
  time since_{};
  time last_{};
};

}  // namespace berth
