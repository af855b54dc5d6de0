// `berth-agent --launcher`: the parent of all environments of one data directory. Single-threaded,
// in its own session and cgroup, a subreaper. It does every clone3 and outlives the server. If it
// dies, environments run on (no parent-death signal) and the next launcher adopts them by
// DIR/run/envs/<id>/life, proven by boot id, pid and start time.
//
//   berth-agent --launcher --run DIR/run --cgroup-parent NAME --network-tag HEX
//               [--no-network] [--ready-fd N]
//
// With no environment and nothing asked for 10 minutes it ends by itself and takes bridge and rules
// along; the next request of the server starts another.
// Files below DIR/run: launcher.sock (protocol.hpp), launcher.lock (one launcher a directory), mnt/
// (mount points of its private mount namespace), envs/<id>/{life, exit, agent.sock, agent.log,
// state/}.
// Exit codes: 0 asked to quit, 1 cannot start (a line on stderr and on the ready descriptor),
// 2 usage, 3 another one runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "infra/agent/program/launcher/environment.hpp"

int launcher_main(int argc, char** argv);

namespace berth::launcher {

struct launcher_options {
  std::string run;
  std::string cgroup_parent;
  std::string network_tag;
  bool network{true};
  int ready_fd{-1};
};

class launcher {
 public:
  explicit launcher(const launcher_options& options);
  fault open();  // lock, private mounts, socket, adoption
  void serve();  // until asked to quit

 private:
  struct waiting {
    int client{};
    std::string tag;
  };
  struct environment {
    std::string incarnation;
    int pid{};
    std::uint64_t start_time{};
    unique_fd pidfd;
    std::vector<waiting> waits;  // for its end
    std::int64_t kill_at_ms{};   // 0: not being stopped
  };

  void adopt();
  void accept_client();
  void read_client(int client);
  void close_client(int client);
  void answer(int client, const std::string& tag, message reply, int descriptor = -1);
  void handle(int client, const message& asked);
  void start(int client, const message& asked);
  void stop(int client, const message& asked, bool at_once);
  void reap(const std::string& id);
  void tick();
  void leave(int client, const message& asked);
  int timeout_ms() const;

  launcher_options options_;
  machine machine_;
  fault network_fault_;
  unique_fd lock_;
  unique_fd listen_;
  unique_fd signals_;
  std::map<int, unique_fd> clients_;
  std::map<std::string, environment> environments_;
  std::map<std::string, int> leftover_groups_;  // id -> attempts to remove its cgroups
  std::int64_t asked_at_ms_{};                  // the last request or end of an environment
  bool quit_{};
};

// Answers `probe` (probe.cpp): what works here, found by doing it.
message probe_machine(machine& on, const fault& network_fault, bool network_wanted);

}  // namespace berth::launcher
