// The kernel on CAF: the registry, the actor system, and the host's and bulk log's news turned into
// messages.
#pragma once

#include <mutex>
#include <set>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/placements.hpp"
#include "actors/runtime.hpp"

namespace berth::actors {

class actor_kernel : public running_kernel, public host_observer {
 public:
  explicit actor_kernel(kernel_options options);
  ~actor_kernel() override;

  void start() override;
  void stop() override;
  void leadership_began(std::uint32_t partition) override;
  void leadership_ended(std::uint32_t partition) override;
  std::size_t environments_running() const override { return shared_.environments_running; }

  void ask(const account_id&, account::command, command_meta,
           answer_completion<account::aggregate>) override;
  void ask(const session_id&, session::command, command_meta,
           answer_completion<session::aggregate>) override;
  void ask(const environment_id&, environment::command, command_meta,
           answer_completion<environment::aggregate>) override;
  void ask(const terminal_id&, terminal::command, command_meta,
           answer_completion<terminal::aggregate>) override;
  void ask(const host_id&, host::command, command_meta,
           answer_completion<host::aggregate>) override;
  void read(const account_id&, const principal&, answer_completion<account::aggregate>) override;
  void read(const session_id&, const principal&, answer_completion<session::aggregate>) override;
  void read(const environment_id&, const principal&,
            answer_completion<environment::aggregate>) override;
  void read(const terminal_id&, const principal&, answer_completion<terminal::aggregate>) override;
  std::shared_ptr<void> watch(const environment_id&, const principal&,
                              environment_watcher) override;
  void create_environment(const account_id&, environment::create, command_meta,
                          creation_completion) override;
  void exec(const environment_id&, environment::exec, command_meta,
            std::function<void(outcome<exec_answer>)>) override;
  void attach(attach_request, std::shared_ptr<terminal_viewer>,
              std::function<void(outcome<attached_terminal>)>) override;
  kernel_stats stats() const override;

  bool run_job(const std::function<std::size_t(std::size_t)>& pick) override;
  std::size_t fire_timers() override { return shared_.timers.fire_due(); }
  std::optional<timestamp> next_timer() const override { return shared_.timers.next(); }

  void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                       shared_bytes data) override;
  void terminal_ended(const terminal_id& terminal, const terminal_end& end) override;
  void environment_lost(const environment_id& environment, const incarnation& life,
                        const std::string& reason) override;
  void environment_stats_seen(const environment_id&, const environment_stats&) override {}

 private:
  template <class A>
  void admit(const std::string& key, typename A::command what, command_meta meta,
             answer_completion<A> done);
  template <class A>
  void look(const std::string& key, const principal& by, answer_completion<A> done);
  caf::actor spawn(const entry_ptr& entry);
  void adopt();
  void adopted(const std::vector<adopted_environment>& found);
  // Of the streams behind `after`: all, or those of some partitions.
  using partition_set = std::set<std::uint32_t>;
  void wake_next(std::optional<stream_id> after, std::shared_ptr<const partition_set> only,
                 int patience = 0);
  void look_soon();
  outcome<environment_id> environment_id_for(const account_id& account, const std::string& name,
                                             const command_id& command);
  void beat();
  void sweep();

  // The configuration outlives the system, the system the actors.
  struct system_config;
  std::unique_ptr<system_config> config_;
  std::mutex led_mutex_;  // guards the two below
  bool look_armed_{};
  partition_set led_anew_;
  runtime shared_;
  placements placed_;
  std::unique_ptr<caf::actor_system> system_;
  bool stopped_{};
};

}  // namespace berth::actors
