// The server's background (actors/ports/background.hpp): one thread that gives way to every other.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "actors/ports/background.hpp"

namespace berth {

class background_worker : public background {
 public:
  background_worker();
  ~background_worker() override { stop(); }
  void run(std::function<void()> work) override;
  // Ends after the work under way and forgets what is queued, now and later. Idempotent.
  void stop();

 private:
  void work_loop();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queued_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace berth
