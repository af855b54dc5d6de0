#include "actors/account_effects.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

command_id creation_command(const environment_id& environment) {
  return uuid::derived("effect", "create", environment.value);
}

environment::create creation_of(const account_id& account,
                                const account::environment_entry& entry) {
  return {account, entry.name, entry.instance_type, entry.template_name, entry.price_list};
}

void account_effects::reconcile(const account::state& now, stream_version at) {
  const account_id account{context_.key};
  latest_ = now;
  at_ = at;
  if (BERTH_MUTANT(creation_not_completed)) return;
  for (const auto& [environment, entry] : now.environments) {
    if (entry.confirmed || !creating_.insert(environment).second) continue;
    const auto answered = [this, id = environment, post = context_.post](const auto& result) {
      post([this, id, exists = result.has_value()] { created(id, exists); });
    };
    context_.shared.tell<environment::aggregate>(
        environment.value, creation_of(account, entry), creation_command(environment), account,
        context_.correlation(), cause{{aggregate_kind::account, context_.key}, at}, answered);
  }
}

void account_effects::created(const environment_id& environment, bool exists) {
  // A creation that failed (overload, a record that cannot be read) is asked again; until then this
  // actor stays, or nobody would.
  if (!exists)
    return context_.shared.timers.after(retry_delay, [this, environment, post = context_.post] {
      post([this, environment] {
        creating_.erase(environment);
        reconcile(latest_, at_);
      });
    });
  creating_.erase(environment);
  context_.report(account::confirm_environment{environment}, "confirm/" + environment.value);
}

template <>
std::unique_ptr<effects<account::aggregate>> make_effects(
    effect_context<account::aggregate> context) {
  return std::make_unique<account_effects>(std::move(context));
}

}  // namespace berth::actors
