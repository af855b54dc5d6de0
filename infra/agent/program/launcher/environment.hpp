// One environment's start: from a request to a running berth-agent that says it listens, in about
// 5 ms.
//
//   launcher                                       child (pid 1 of the environment)
//   folder, socket, cgroups, clone3 ─────────────► waits
//   uid map, id-mapped overlays, veth ── mounts ─► attaches them, /proc /dev /sys /run, pivot_root
//   waits for the ready byte ◄──────────────────── execveat(berth-agent --serve …)
//
// A child that gets end of file instead of descriptors exits: a launcher killed half-way leaves
// nothing that runs.
#pragma once

#include <string>
#include <variant>

#include "infra/agent/program/launcher/cgroups.hpp"
#include "infra/agent/program/launcher/network.hpp"
#include "infra/agent/program/launcher/os.hpp"
#include "infra/agent/program/launcher/start_request.hpp"

namespace berth::launcher {

inline constexpr int ready_timeout_ms = 10'000;

struct started {
  int pid{};
  std::uint64_t start_time{};
  unique_fd pidfd;
  std::vector<std::string> problems;  // limits not applied: the environment runs without them
};

// What all starts of one launcher share.
struct machine {
  std::string run;  // DIR/run, absolute; the working directory is run/mnt
  cgroup_tree cgroups;
  network net;
};

struct start_outcome {
  started life;
  fault failed;
};
start_outcome start_environment(machine& on, const start_request& request);

// Ends everything in the environment: its cgroup, then pid 1, whose death takes the rest.
void kill_environment(machine& on, const std::string& id, int pidfd);

// The child's side (environment_inside.cpp).
struct child_plan {
  const start_request* request{};
  int channel{};  // gets the mounts
  int ready{};
  int agent{};
  int listen{};
  int state{};
  int log{};
  bool network{};
  std::string address;
  std::string gateway;
  const workload_group* group{};
};
// In full mode the channel brings the mounts of /, /usr, /home and /workspace; in reduced mode only
// a byte.
inline constexpr int mount_count = 4;
[[noreturn]] void run_inside(const child_plan& plan);

}  // namespace berth::launcher
