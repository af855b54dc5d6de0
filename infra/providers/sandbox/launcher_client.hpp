// The server's side of the launcher: starts one if none runs (or one of another version), asks,
// waits for the answer. Calls block up to the time given. Any thread; every call has a connection
// of its own.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"
#include "infra/agent/program/launcher/protocol.hpp"
#include "infra/agent/protocol/unique_fd.hpp"

namespace berth {

struct launcher_setup {
  std::string agent_binary;  // absolute path of berth-agent
  std::string run_dir;       // DIR/run, absolute
  std::string cgroup_parent;
  std::string network_tag;
  bool network{};
};

struct launcher_answer {
  launcher::message text;
  agent::unique_fd pidfd;  // of `start` and `open`
};

class launcher_client {
 public:
  explicit launcher_client(launcher_setup setup);
  ~launcher_client();
  // A launcher of our version runs when this succeeds. Call it before many descriptors are open.
  host_result<bool> ensure();
  // Starts a launcher again if it is gone. Requests are repeatable, so one that was lost with it is
  // asked once more.
  host_result<launcher_answer> ask(launcher::message request, std::chrono::milliseconds within);
  // Ids of the environments that run, in order.
  host_result<std::vector<environment_id>> list(std::chrono::milliseconds within);
  // The launcher ends, environments run on; true if there was one that did. Its empty cgroups are
  // removed.
  bool quit(bool only_if_idle);
  int pid() const { return pid_; }
  int run_folder() const {
    return run_folder_;
  }  // descriptor of DIR/run: short paths to sockets below it

 private:
  host_result<launcher_answer> ask_once(const launcher::message& request,
                                        std::chrono::milliseconds within) const;
  host_result<bool> ensure_locked();
  host_result<bool> spawn() const;

  launcher_setup setup_;
  std::mutex mutex_;
  int run_folder_{-1};
  int pid_{};
};

}  // namespace berth
