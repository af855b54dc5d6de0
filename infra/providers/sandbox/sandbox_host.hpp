// The sandbox provider: environments of namespaces, id-mapped overlays and cgroups on this machine
// (DESIGN §6).
//
//   worker threads (may block)            create start stop destroy adopt ── launcher
//   reactor thread (never blocks long)    links to agents ── observer, exec, terminals, dial
//
// DIR/environments/<id>/ what persists · DIR/templates/ lower layers · DIR/run/ launcher, sockets,
// ring files. Rules H1–H7 of the port hold. Files: sandbox_host.cpp lifecycle,
// sandbox_host_agents.cpp what goes to and comes from agents, environment_disk, terminal_tails
// (output of dead agents), launcher_client; infra/agent/program/launcher does the rest.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"

namespace berth {

struct sandbox_options {
  std::string data_dir;       // absolute; not below /usr
  std::string agent_binary;   // absolute path of berth-agent
  bool network{true};         // outbound, where it works
  std::string cgroup_parent;  // empty: berth-<hash of data_dir>
  std::size_t worker_threads{3};
  std::size_t jobs_max{
      1024};  // create, start, stop, destroy, adopt under way; beyond it limit_exceeded
  std::vector<std::string>
      agent_options;  // passed to every agent, for example {"--stats-ms", "1000"}
  // Somebody inside connected to the gateway's address; the function owns the descriptor. Reactor
  // thread.
  std::function<void(const environment_id&, int)> gateway_connection;
};

// Starts or adopts the launcher at once: call it before anything else is opened. Never fails: what
// does not work is in capabilities(). Destroying it leaves environments and launcher running.
std::unique_ptr<environment_host> make_sandbox_host(sandbox_options options);

// Ends the launcher of a data directory; environments that run go on and are adopted by the next
// one.
bool end_launcher(const std::string& data_dir);

}  // namespace berth
