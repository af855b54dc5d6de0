// The machine's clock for berthd: UTC microseconds that never go back within one process. Any
// thread.
#pragma once

#include <atomic>

#include "actors/ports/clock.hpp"

namespace berth {

class system_clock : public clock {
 public:
  timestamp now() const override;

 private:
  mutable std::atomic<std::int64_t> last_us_{0};
};

}  // namespace berth
