// The one thread on which all links to agents run. Others hand it work by post().
#pragma once

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "infra/agent/loop/event_loop.hpp"

namespace berth::agent {

class agent_reactor {
 public:
  agent_reactor();
  ~agent_reactor();  // runs what was posted, stops, joins
  agent_reactor(const agent_reactor&) = delete;

  void post(std::function<void()> task);        // any thread
  void run(const std::function<void()>& task);  // any thread; returns when it was done
  bool here() const { return std::this_thread::get_id() == thread_.get_id(); }
  event_loop& loop() { return loop_; }  // on the reactor's thread only

 private:
  void run_posted();

  event_loop loop_;
  unique_fd wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::thread thread_;
};

}  // namespace berth::agent
