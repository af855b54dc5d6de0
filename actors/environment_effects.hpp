// An environment's effects: make, start, stop and destroy it on the host, and run its execs.
#pragma once

#include <chrono>
#include <set>

#include "actors/effects.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

class environment_effects : public effects<environment::aggregate> {
 public:
  explicit environment_effects(effect_context<environment::aggregate> context)
      : context_{std::move(context)} {}
  ~environment_effects() override { count_running(false); }
  void reconcile(const environment::state& now, stream_version at) override;
  // What the host has not answered yet it may still do: somebody must be there to undo it.
  bool busy() const override {
    if (!at_home()) return false;
    const bool stays = running_ && !BERTH_MUTANT(running_environment_passivated);
    return unanswered_ > 0 || !execs_.empty() || stays || is_unsettled();
  }

 private:
  static constexpr std::chrono::seconds retry_delay{2};  // of what failed and must be done
  // A host that did not answer for so long is asked again (H2), or one request that hangs would
  // hold up the environment for ever. Longer than the deadlines of what it is asked for.
  static constexpr std::chrono::seconds answer_max{75};

  template <class T>
  host_completion<T> expect(environment::status during,
                            std::function<void(const host_result<T>&)> then);
  bool should_be_down() const {
    return latest_.status == environment::status::error ||
           latest_.status == environment::status::stopped;
  }
  bool is_unsettled() const;
  void pursue();
  void ask_host();
  using undoing = void (environment_host::*)(const environment_id&, std::uint64_t,
                                             host_completion<bool>);
  // Of what is left of a request though the state does not want it; `is_left` again if that fails.
  void undo(environment::status during, bool& is_left, undoing how);
  void look_whether_up();
  void pursue_later();
  void answered_late(environment::status during);
  void done(environment::status during, const std::optional<host_error>& failure,
            const std::string& incarnation);
  void report(environment::command what, environment::status during);
  void report_lost(const std::string& reason, timestamp alive_until);
  void check_adopted();
  void forget_execs();
  void run_execs(const environment::state& now);
  void release_name(const environment::state& now, stream_version at);
  void count_running(bool running);
  environment_spec spec(const environment::state& now) const;
  environment_id id() const { return {context_.key}; }
  bool at_home() const;

  effect_context<environment::aggregate> context_;
  environment::state latest_;
  environment::status doing_{
      environment::status::absent};  // what the host was asked for, absent: nothing
  std::uint64_t asked_{};            // how often; an answer to an earlier request is late
  std::uint64_t unanswered_{};       // of these
  bool reporting_{};                 // its answer is on its way into the log
  // What the host may have though the state says otherwise, because of a request that was given up
  // or whose outcome is not known.
  bool may_run_{};
  bool may_be_there_{};
  bool may_be_down_{};
  bool checked_{};
  bool running_{};
  bool name_released_{};
  std::set<exec_id> execs_;  // asked of the host and not answered
};

template <>
std::unique_ptr<effects<environment::aggregate>> make_effects(
    effect_context<environment::aggregate> context);

}  // namespace berth::actors
