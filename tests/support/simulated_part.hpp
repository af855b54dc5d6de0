// Something that lives beside the kernel in a simulated_server's one thread and takes its turns:
// clients and their network, projections. The server's clock is its clock, the server's generator
// its generator.
#pragma once

#include <optional>

#include "events/core/time.hpp"

namespace berth::testing {

class simulated_part {
 public:
  virtual ~simulated_part() = default;
  // One random step; false if nothing is left to do without time passing.
  virtual bool step() = 0;
  // When it next has something to do by itself.
  virtual std::optional<timestamp> next_timer() const = 0;
  // Makes what is due by now ready for step().
  virtual void fire_timers() = 0;
  // The server is killed: before its kernel stops, after which nothing of it may be called.
  virtual void crashing() = 0;
  // A new kernel runs.
  virtual void booted() = 0;
};

}  // namespace berth::testing
