// Waits for the end of one exec by watching its environment, then reads the outcome from the
// stream: so a retry, a second server and the first caller all get the same recorded answer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "actors/kernel.hpp"
#include "events/core/journal.hpp"

namespace berth::actors {

class exec_waiter {
 public:
  exec_waiter(const journal& log, environment_id environment, exec_id exec,
              std::function<void(outcome<exec_answer>)> done)
      : log_{log},
        environment_{std::move(environment)},
        exec_{std::move(exec)},
        done_{std::move(done)} {}

  void accepted(const answer<environment::aggregate>& asked);
  void watch(std::shared_ptr<void> handle);
  void seen(const outcome<answer<environment::aggregate>>& now);
  void fail(rejection why);

 private:
  outcome<exec_answer> find_outcome() const;
  void finish(outcome<exec_answer> result);

  const journal& log_;
  environment_id environment_;
  exec_id exec_;
  std::mutex mutex_;  // the completion and the watcher may run on different threads
  std::function<void(outcome<exec_answer>)> done_;
  std::shared_ptr<void> handle_;
  bool finished_{};
  stream_version asked_at_;
  bool replayed_{};
};

}  // namespace berth::actors
