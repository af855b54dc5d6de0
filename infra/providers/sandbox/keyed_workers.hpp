// A few threads for work that blocks: jobs of one key run one at a time and in order, keys run side
// by side.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace berth {

class keyed_workers {
 public:
  keyed_workers(std::size_t threads, std::size_t jobs_max);
  ~keyed_workers();
  void stop();  // runs what is queued, then joins; a post from now on is refused
  // False if the bound is reached or it stops: the caller answers that it is overloaded.
  bool post(const std::string& key, std::function<void()> job);
  std::size_t queued() const;

 private:
  void run();

  const std::size_t jobs_max_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::map<std::string, std::deque<std::function<void()>>>
      jobs_;  // the front of a key not in runnable_ runs
  std::deque<std::string> runnable_;
  std::size_t count_{};
  bool stopping_{};
  std::vector<std::thread> threads_;
};

}  // namespace berth
