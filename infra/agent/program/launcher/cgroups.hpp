// The cgroups of environments: v1 controllers, v2, or both, whichever the machine has for memory,
// cpu and pids.
//
//   <mount>/<parent>/launcher   launcher and agents: no limit, a fork bomb cannot silence an agent
//   <mount>/<parent>/<id>       the workload of one environment, limited; v2 adds cgroup.kill
//
// Only groups below `parent` are ever written; a controller the kernel does not hand down is
// reported, not forced.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "infra/agent/program/launcher/os.hpp"
#include "infra/agent/program/launcher/start_request.hpp"

namespace berth::launcher {

// Descriptors for one environment's agent.
struct workload_group {
  std::vector<unique_fd> procs;  // write "0" to each to join
  unique_fd stat_cpu;
  unique_fd stat_memory;
  unique_fd stat_pids;
  std::vector<std::string> problems;
};

class cgroup_tree {
 public:
  explicit cgroup_tree(std::string parent);
  // Makes the parent groups and moves the calling process into `launcher`. Problems are remembered,
  // not fatal.
  void prepare();
  workload_group create(const std::string& id, const cgroup_limits& limits);
  void kill(
      const std::string& id) const;  // cgroup.kill where there is v2; the caller ends pid 1 as well
  bool remove(const std::string& id) const;  // false: busy still, try again
  // This process's groups, then their parents: whoever outlives it may remove them.
  std::vector<std::string> own_groups() const;
  // "memory,cpu,pids", a part of it, or "none"; found by making a group and reading each limit
  // back.
  std::string probe(std::vector<std::string>& problems);

 private:
  struct hierarchy {
    bool v2{};
    std::string mount;
  };
  std::string group(const hierarchy& h, const std::string& name) const;
  void limit(const std::string& controller, const std::string& id, const cgroup_limits& limits,
             std::vector<std::string>& problems) const;
  std::vector<const hierarchy*> used() const;

  std::string parent_;
  std::vector<hierarchy> hierarchies_;              // stable after prepare()
  std::map<std::string, std::size_t> controllers_;  // name -> index in hierarchies_
  int v2_{-1};
};

}  // namespace berth::launcher
