// A clock that moves only when told to.
#pragma once

#include "actors/ports/clock.hpp"

namespace berth::testing {

class manual_clock : public clock {
 public:
  timestamp now() const override { return now_; }
  void advance(microseconds by) { now_ += by; }
  void advance_to(timestamp to) {
    if (to > now_) now_ = to;
  }

 private:
  timestamp now_{from_us(1'800'000'000'000'000)};  // 2027-01-15T08:00:00Z
};

}  // namespace berth::testing
