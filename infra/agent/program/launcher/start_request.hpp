// What one start of an environment needs, and how it travels in a `start` message. Used by both
// sides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "infra/agent/program/launcher/protocol.hpp"

namespace berth::launcher {

inline constexpr std::uint32_t ids_per_environment = 65'536;

struct cgroup_limits {
  std::uint64_t memory_bytes{};  // 0: none
  std::uint64_t cpu_millis{};
  std::uint64_t pids_max{};
};

// The keys of the message have these names.
struct start_request {
  std::string id;
  std::string incarnation;
  std::string name;           // host name inside
  std::string agent;          // path of the berth-agent to run
  std::string template_root;  // skeleton of /, without /usr
  std::string disk;           // folder with upper, usr, work, usr_work, home, workspace
  std::uint32_t uid_base{};   // host uid of the environment's root
  unsigned index{};           // unique among the environments of this data directory
  cgroup_limits limits;
  bool network{};
  bool reduced{};                          // one uid, no sudo, no network
  std::vector<std::string> agent_options;  // passed on as they are
};

inline start_request parse_start(const message& asked) {
  start_request r;
  r.id = asked.text("id");
  r.incarnation = asked.text("incarnation");
  r.name = asked.text("name");
  r.agent = asked.text("agent");
  r.template_root = asked.text("template_root");
  r.disk = asked.text("disk");
  r.uid_base = static_cast<std::uint32_t>(asked.number("uid_base"));
  r.index = static_cast<unsigned>(asked.number("index"));
  r.limits = {asked.number("memory_bytes"), asked.number("cpu_millis"), asked.number("pids_max")};
  r.network = asked.number("network") != 0;
  r.reduced = asked.number("reduced") != 0;
  r.agent_options = asked.all("agent_option");
  return r;
}

inline message encode_start(const start_request& r) {
  message m;
  m.add("do", "start")
      .add("id", r.id)
      .add("incarnation", r.incarnation)
      .add("name", r.name)
      .add("agent", r.agent);
  m.add("template_root", r.template_root)
      .add("disk", r.disk)
      .add("uid_base", std::uint64_t{r.uid_base});
  m.add("index", std::uint64_t{r.index}).add("memory_bytes", r.limits.memory_bytes);
  m.add("cpu_millis", r.limits.cpu_millis).add("pids_max", r.limits.pids_max);
  m.add("network", std::uint64_t{r.network}).add("reduced", std::uint64_t{r.reduced});
  for (const auto& option : r.agent_options) m.add("agent_option", option);
  return m;
}

}  // namespace berth::launcher
