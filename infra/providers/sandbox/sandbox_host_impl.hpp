// The class behind make_sandbox_host. Private to this folder.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "infra/agent/link/agent_link.hpp"
#include "infra/agent/link/agent_reactor.hpp"
#include "infra/providers/sandbox/environment_disk.hpp"
#include "infra/providers/sandbox/keyed_workers.hpp"
#include "infra/providers/sandbox/launcher_client.hpp"
#include "infra/providers/sandbox/sandbox_host.hpp"
#include "infra/providers/sandbox/terminal_tails.hpp"

namespace berth {

class sandbox_host final : public environment_host, public agent::agent_link_observer {
 public:
  explicit sandbox_host(sandbox_options options);
  ~sandbox_host() override;

  // environment_host: lifecycle (sandbox_host.cpp)
  void observe(host_observer* observer) override;
  host_capabilities capabilities() const override { return capabilities_; }
  std::vector<template_info> templates() const override { return templates_; }
  void adopt(host_completion<std::vector<adopted_environment>> done) override;
  void create(const environment_spec& spec, host_completion<bool> done) override;
  void start(const environment_spec& spec, host_completion<incarnation> done) override;
  void stop(const environment_id& id, std::uint64_t owner_epoch,
            host_completion<bool> done) override;
  void destroy(const environment_id& id, std::uint64_t owner_epoch,
               host_completion<bool> done) override;

  // environment_host: through the agent (sandbox_host_agents.cpp)
  void exec(const environment_id& id, const exec_request& request,
            host_completion<exec_output> done) override;
  void open_terminal(const environment_id& id, const terminal_spec& spec,
                     host_completion<terminal_started> done) override;
  void follow_terminal(const environment_id& id, const terminal_id& terminal,
                       std::uint64_t from) override;
  void terminal_input(const environment_id& id, const terminal_id& terminal,
                      const input_stream_id& stream, std::uint64_t sequence, std::string bytes,
                      host_completion<input_outcome> done) override;
  void resize_terminal(const environment_id& id, const terminal_id& terminal, std::uint16_t cols,
                       std::uint16_t rows) override;
  void pace_terminal(const environment_id& id, const terminal_id& terminal,
                     std::optional<std::uint64_t> read_until) override;
  void terminal_durable(const environment_id& id, const terminal_id& terminal,
                        std::uint64_t offset) override;
  void close_terminal(const environment_id& id, const terminal_id& terminal) override;
  void dial(const environment_id& id, std::uint16_t port, host_completion<int> done) override;

  // agent_link_observer, on the reactor's thread (sandbox_host_agents.cpp)
  void agent_ready(const environment_id& id,
                   const std::vector<agent::agent_terminal>& terminals) override;
  void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                       shared_bytes data) override;
  void terminal_ended(const terminal_id& terminal, const terminal_end& end) override;
  void terminal_missing(const terminal_id& terminal, const host_error& why,
                        std::uint64_t first_offset) override;
  void stats_seen(const environment_id& id, const environment_stats& stats) override;
  void gateway_connection(const environment_id& id, int fd) override;
  void agent_over(const environment_id& id, const incarnation& life, bool lost,
                  const host_error& why) override;

 private:
  struct running {
    incarnation life;
    std::shared_ptr<agent::agent_link> link;
    bool stopping{};  // its end is asked for: no environment_lost
  };
  struct adoption {
    std::map<environment_id, adopted_environment> found;
    std::set<environment_id> silent;  // agents that have not said what terminals they have
    host_completion<std::vector<adopted_environment>> done;
  };
  using link_ptr = std::shared_ptr<agent::agent_link>;

  void probe();
  template <class T>
  bool post_job(const environment_id& id, const host_completion<T>& done,
                std::function<void()> job);
  host_result<bool> check_epoch(const environment_id& id, std::uint64_t owner_epoch);
  host_result<incarnation> start_now(const environment_spec& spec);
  host_result<bool> stop_now(const environment_id& id, std::chrono::milliseconds grace);
  host_result<bool> destroy_now(const environment_id& id);
  bool nothing_ran() const;
  void adopt_now(host_completion<std::vector<adopted_environment>> done);
  void finish_adoption_if_complete();
  adopted_environment present(const environment_id& id) const;
  void connect(const environment_id& id, const incarnation& life, agent::unique_fd pidfd,
               std::uint64_t owner_epoch);
  void await_agent_end(const environment_id& id);
  void end_useless(const environment_id& id, const incarnation& life, const host_error& why);
  void tell_lost(const environment_id& id, const incarnation& life, bool ended,
                 const std::string& why);
  void measure_disk(const environment_id& id);
  link_ptr link_of(const environment_id& id) const;
  host_error not_running(const environment_id& id) const;
  std::string run_path(const environment_id& id) const { return run_dir_ + "/envs/" + id.value; }
  // Reactor thread: followed terminals of a dead agent get their last bytes and their end.
  void end_terminals(const environment_id& id, const std::string& reason);

  sandbox_options options_;
  std::string run_dir_;
  host_capabilities capabilities_;
  std::vector<template_info> templates_;
  std::string template_root_;
  std::unique_ptr<launcher_client> launcher_;
  std::unique_ptr<environment_disk> disk_;
  std::unique_ptr<terminal_tails> tails_;

  mutable std::mutex mutex_;
  std::map<environment_id, running> running_;
  std::map<environment_id, std::uint64_t> epochs_;

  // Reactor thread only.
  host_observer* observer_{};
  struct followed {
    environment_id owner;
    std::uint64_t next{};
  };
  std::map<terminal_id, followed> followed_;
  std::map<terminal_id, environment_id> terminals_;  // that agents hold
  std::optional<adoption> adoption_;
  struct disk_use {
    std::uint64_t bytes{};
    std::chrono::steady_clock::time_point measured;
    bool measuring{};
  };
  std::map<environment_id, disk_use> disk_use_;

  std::unique_ptr<agent::agent_reactor> reactor_;
  std::unique_ptr<keyed_workers> workers_;
};

}  // namespace berth
