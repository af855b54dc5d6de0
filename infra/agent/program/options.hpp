// The command line of `berth-agent --serve`; infra/agent/README.md is its contract.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "infra/agent/program/users.hpp"

namespace berth::agent {

struct options {
  std::string environment;
  std::string incarnation;
  int listen_fd = -1;
  std::string listen_path;
  int state_fd = -1;
  std::string state_path;
  std::vector<int> cgroup_fds;
  int stat_cpu_fd = -1;
  int stat_memory_fd = -1;
  int stat_pids_fd = -1;
  std::chrono::milliseconds stats_every{30'000};
  std::chrono::milliseconds hello_within{5'000};
  std::optional<user_record> default_user;
  std::vector<std::pair<std::string, std::string>> env;
  bool workload_ns = false;
  bool drop_caps = false;
  std::uint16_t gateway_port = 7370;
  std::string gateway_socket = "/run/berth/gateway.sock";
  int ready_fd = -1;
};

// Nothing and the reason in `problem` if the command line is not understood.
std::optional<options> parse_options(int argc, char** argv, std::string& problem);

}  // namespace berth::agent
