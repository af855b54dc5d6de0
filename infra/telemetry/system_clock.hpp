// The machine's clock for berthd: UTC microseconds that never go back within one process; and which
// of the machine's starts this is. Any thread.
#pragma once

#include <atomic>
#include <string>

#include "actors/ports/clock.hpp"

namespace berth {

class system_clock : public clock {
 public:
  timestamp now() const override;

 private:
  mutable std::atomic<std::int64_t> last_us_{0};
};

// Differs after every start of the machine; empty if it does not say.
std::string boot_id();

}  // namespace berth
