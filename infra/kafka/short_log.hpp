// Whether a log that says it ends before what was read of it has lost something, or is only asked
// of a broker that was stopped, woke up and still takes itself for the leader: that passes. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace berth {

class short_log {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds passes_within{5};

  enum class finding : std::uint8_t { whole, perhaps, lost };
  // `end` as the log says now, `next_offset` as it was read.
  finding look(std::uint64_t end, std::uint64_t next_offset, time now) {
    if (end >= next_offset) return since_.reset(), finding::whole;
    if (!since_) since_ = now;
    return now - *since_ < passes_within ? finding::perhaps : finding::lost;
  }

 private:
  std::optional<time> since_;
};

}  // namespace berth
