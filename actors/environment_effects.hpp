// An environment's effects: make, start, stop and destroy it on the host, and run its execs.
#pragma once

#include <chrono>
#include <set>

#include "actors/effects.hpp"

namespace berth::actors {

class environment_effects : public effects<environment::aggregate> {
 public:
  explicit environment_effects(effect_context<environment::aggregate> context)
      : context_{std::move(context)} {}
  ~environment_effects() override { count_running(false); }
  void reconcile(const environment::state& now, stream_version at) override;
  bool busy() const override {
    return doing_ != environment::status::absent || !execs_.empty() || running_;
  }

 private:
  static constexpr std::chrono::seconds retry_delay{
      2};  // of a destroy or a putting down that failed

  void act(const environment::state& now);
  void done(environment::status during, std::optional<host_error> failure,
            const std::string& incarnation);
  void check_adopted(const environment::state& now);
  void put_down();
  void run_execs(const environment::state& now);
  void release_name(const environment::state& now, stream_version at);
  void count_running(bool running);
  environment_spec spec(const environment::state& now) const;
  environment_id id() const { return {context_.key}; }

  effect_context<environment::aggregate> context_;
  environment::status doing_{
      environment::status::absent};  // what the host was asked for, absent: nothing
  environment::state latest_;
  bool checked_{};
  bool running_{};
  bool name_released_{};
  bool may_have_begun_{};    // a start failed, and what became of it is not known
  std::set<exec_id> execs_;  // asked of the host and not answered
};

template <>
std::unique_ptr<effects<environment::aggregate>> make_effects(
    effect_context<environment::aggregate> context);

}  // namespace berth::actors
