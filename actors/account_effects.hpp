// An account's effect: every environment it asked for is created, once, and then confirmed.
#pragma once

#include <chrono>
#include <set>

#include "actors/effects.hpp"

namespace berth::actors {

// The id under which environment/<id> is created, the same for every retry of the account's
// command.
command_id creation_command(const environment_id& environment);
// The environment's creation as the account asked for it.
environment::create creation_of(const account_id& account, const account::environment_entry& entry);

class account_effects : public effects<account::aggregate> {
 public:
  explicit account_effects(effect_context<account::aggregate> context)
      : context_{std::move(context)} {}
  void reconcile(const account::state& now, stream_version at) override;
  bool busy() const override { return !creating_.empty(); }

 private:
  static constexpr std::chrono::milliseconds retry_delay{500};  // of a creation that failed

  void created(const environment_id& environment, bool exists);

  effect_context<account::aggregate> context_;
  account::state latest_;
  stream_version at_;
  std::set<environment_id> creating_;
};

template <>
std::unique_ptr<effects<account::aggregate>> make_effects(
    effect_context<account::aggregate> context);

}  // namespace berth::actors
