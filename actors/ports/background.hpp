// Work that nobody waits for: it runs later, on a thread of low priority; what is queued when the
// server ends may never run. Threads: any.
#pragma once

#include <functional>

namespace berth {

class background {
 public:
  virtual ~background() = default;
  virtual void run(std::function<void()> work) = 0;
};

}  // namespace berth
