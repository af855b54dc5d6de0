#include "infra/agent/program/launcher/cgroups.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <sstream>

namespace berth::launcher {

namespace {
constexpr std::uint64_t cpu_period_us = 100'000;
constexpr const char* wanted[] = {"memory", "cpu", "pids", "cpuacct"};

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);) parts.push_back(part);
  return parts;
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream in(text);
  for (std::string each; in >> each;) {
    if (each == word) return true;
  }
  return false;
}
}  // namespace

// mountinfo: "36 25 0:32 / /sys/fs/cgroup/memory rw,… - cgroup cgroup rw,memory"
cgroup_tree::cgroup_tree(std::string parent) : parent_(std::move(parent)) {
  for (const auto& line : split(read_file("/proc/self/mountinfo"), '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (right[0] == "cgroup2" && v2_ < 0) {
      v2_ = static_cast<int>(hierarchies_.size());
      hierarchies_.push_back({true, left[4]});
    } else if (right[0] == "cgroup") {
      const auto options = split(right[2], ',');
      const auto index = hierarchies_.size();
      bool needed = false;
      for (const auto* name : wanted) {
        if (std::find(options.begin(), options.end(), name) == options.end() ||
            controllers_.contains(name))
          continue;
        controllers_[name] = index;
        needed = true;
      }
      if (needed) hierarchies_.push_back({false, left[4]});
    }
  }
}

std::string cgroup_tree::group(const hierarchy& h, const std::string& name) const {
  return h.mount + "/" + parent_ + (name.empty() ? "" : "/" + name);
}

std::vector<const cgroup_tree::hierarchy*> cgroup_tree::used() const {
  std::vector<const hierarchy*> all;
  for (const auto& h : hierarchies_) all.push_back(&h);
  return all;
}

void cgroup_tree::prepare() {
  for (auto& h : hierarchies_) {
    std::string path = h.mount;
    for (const auto& part : split(parent_, '/')) {
      path += "/" + part;
      if (make_dir(path, 0755)) break;
    }
    if (h.v2) {
      const auto available = read_file(group(h, "") + "/cgroup.controllers");
      for (const auto* name : {"memory", "cpu", "pids"}) {
        if (!has_word(available, name)) continue;
        if (write_file(group(h, "") + "/cgroup.subtree_control", std::string("+") + name)) continue;
        controllers_[name] = static_cast<std::size_t>(v2_);
      }
    }
    if (!make_dir(group(h, "launcher"), 0755)) {
      const auto joined = write_file(group(h, "launcher") + "/cgroup.procs", "0");
      if (joined) ::rmdir(group(h, "launcher").c_str());
    }
  }
}

void cgroup_tree::limit(const std::string& controller, const std::string& id,
                        const cgroup_limits& limits, std::vector<std::string>& problems) const {
  const auto at = controllers_.find(controller);
  if (at == controllers_.end()) {
    problems.push_back(controller + ": no cgroup " + controller +
                       " controller is mounted or handed down");
    return;
  }
  const auto& h = hierarchies_[at->second];
  const auto dir = group(h, id);
  const auto put = [&](const char* file, const std::string& value, bool required = true) {
    if (const auto failed = write_file(dir + "/" + file, value); failed && required) {
      problems.push_back(controller + ": " + failed.text);
    }
  };
  if (controller == "memory") {
    if (limits.memory_bytes == 0) return;
    put(h.v2 ? "memory.max" : "memory.limit_in_bytes", std::to_string(limits.memory_bytes));
    // Absent without swap accounting, and then there is nothing to limit.
    if (h.v2)
      put("memory.swap.max", "0", false);
    else
      put("memory.memsw.limit_in_bytes", std::to_string(limits.memory_bytes), false);
  } else if (controller == "pids") {
    if (limits.pids_max != 0) put("pids.max", std::to_string(limits.pids_max));
  } else if (controller == "cpu" && limits.cpu_millis != 0) {
    const auto quota =
        std::to_string(std::max<std::uint64_t>(1000, limits.cpu_millis * cpu_period_us / 1000));
    if (h.v2) {
      put("cpu.max", quota + " " + std::to_string(cpu_period_us));
    } else {
      put("cpu.cfs_period_us", std::to_string(cpu_period_us));
      put("cpu.cfs_quota_us", quota);
    }
  }
}

workload_group cgroup_tree::create(const std::string& id, const cgroup_limits& limits) {
  workload_group made;
  for (const auto* h : used()) {
    if (const auto failed = make_dir(group(*h, id), 0755)) {
      made.problems.push_back(failed.text);
      continue;
    }
    unique_fd procs{::open((group(*h, id) + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)};
    if (procs)
      made.procs.push_back(std::move(procs));
    else
      made.problems.push_back(errno_fault("open cgroup.procs").text);
  }
  for (const auto* controller : {"memory", "cpu", "pids"})
    limit(controller, id, limits, made.problems);
  const auto open_stat = [&](const char* controller, const char* v1, const char* v2) {
    const auto at = controllers_.find(controller);
    if (at == controllers_.end()) return unique_fd{};
    const auto& h = hierarchies_[at->second];
    return unique_fd{::open((group(h, id) + "/" + (h.v2 ? v2 : v1)).c_str(), O_RDONLY | O_CLOEXEC)};
  };
  made.stat_cpu =
      open_stat(controllers_.contains("cpuacct") ? "cpuacct" : "cpu", "cpuacct.usage", "cpu.stat");
  made.stat_memory = open_stat("memory", "memory.usage_in_bytes", "memory.current");
  made.stat_pids = open_stat("pids", "pids.current", "pids.current");
  return made;
}

void cgroup_tree::kill(const std::string& id) const {
  if (v2_ < 0) return;
  // Without it (before Linux 5.14) the death of pid 1 ends the same processes.
  (void)write_file(group(hierarchies_[static_cast<std::size_t>(v2_)], id) + "/cgroup.kill", "1");
}

bool cgroup_tree::remove(const std::string& id) const {
  bool gone = true;
  for (const auto* h : used()) {
    if (::rmdir(group(*h, id).c_str()) != 0 && errno != ENOENT) gone = false;
  }
  return gone;
}

std::vector<std::string> cgroup_tree::own_groups() const {
  std::vector<std::string> all;
  for (const auto* h : used()) {
    all.push_back(group(*h, "launcher"));
    all.push_back(group(*h, ""));
  }
  return all;
}

std::string cgroup_tree::probe(std::vector<std::string>& problems) {
  const std::string name = "probe-" + std::to_string(::getpid());
  const auto tried = create(name, {64u << 20, 500, 32});
  std::string found;
  const auto check = [&](const char* controller, const char* v1, const char* v2,
                         const char* expected) {
    const auto at = controllers_.find(controller);
    if (at == controllers_.end()) return;
    const auto& h = hierarchies_[at->second];
    const auto back = read_file(group(h, name) + "/" + (h.v2 ? v2 : v1));
    if (back.rfind(expected, 0) != 0) return;
    found += std::string(found.empty() ? "" : ",") + controller;
  };
  check("memory", "memory.limit_in_bytes", "memory.max", "67108864");
  check("cpu", "cpu.cfs_quota_us", "cpu.max", "50000");
  check("pids", "pids.max", "pids.max", "32");
  for (const auto& each : tried.problems) {
    problems.push_back("limits: " + each +
                       "; run as root on a machine that hands the controller to " + parent_);
  }
  remove(name);
  return found.empty() ? "none" : found;
}

}  // namespace berth::launcher
