// Time as the kernel sees it: real in berthd, simulated in tests. Any thread.
#pragma once

#include <functional>

#include "events/core/time.hpp"

namespace berth {

class clock {
 public:
  virtual ~clock() = default;
  virtual timestamp now() const = 0;
};

}  // namespace berth
