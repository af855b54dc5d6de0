// Starts one workload process. The child leaves the agent behind: workload cgroups, own session, no
// inherited descriptor, default signals, the user's ids, and with confinement no capability or
// system call it should not have.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "infra/agent/program/options.hpp"
#include "infra/agent/program/seccomp.hpp"
#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

struct workload {
  std::vector<std::string> command;  // empty: the user's login shell
  std::vector<std::pair<std::string, std::string>> env;
  std::string working_directory;  // empty: /workspace, else the user's home, else /
  std::string user;               // empty: the default user
  int standard_fds[3] = {-1, -1, -1};
  bool controlling_terminal = false;  // standard_fds[0] is a terminal that becomes the session's
};

struct spawned {
  pid_t pid = -1;
  // Readable when the program runs (end of file) or could not be started (a line of text).
  unique_fd status;
};

class spawner {
 public:
  explicit spawner(const options& options);
  // Nothing and a reason if there is no such user or no process could be made.
  std::optional<spawned> start(const workload& what, std::string& problem);
  // The user a request names, or the default one.
  std::optional<user_record> user_for(const std::string& name) const;
  // False and the reason if confinement was asked for and cannot be had.
  bool prepare(std::string& problem);

 private:
  [[noreturn]] void run_child(const workload& what, const user_record& user, int status_fd);
  std::vector<std::string> environment_of(const workload& what, const user_record& user) const;

  const options& options_;
  std::vector<sock_filter> filter_;
};

// Reads what a status descriptor has. Nothing while it is undecided; empty text = the program runs.
std::optional<std::string> read_spawn_status(int fd);

}  // namespace berth::agent
