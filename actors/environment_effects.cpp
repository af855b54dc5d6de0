#include "actors/environment_effects.hpp"

#include "events/core/instance_type.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

using environment::status;

environment_spec environment_effects::spec(const environment::state& now) const {
  environment_spec wanted;
  wanted.id = id();
  wanted.account = now.account;
  wanted.owner_epoch = context_.shared.options.owner_epoch;
  wanted.name = now.name;
  wanted.template_name = now.template_name;
  if (const auto* type = find_instance_type(now.instance_type)) {
    wanted.cpu_millis = type->cpu_millis;
    wanted.memory_bytes = type->memory_bytes;
    wanted.pids_max = type->pids_max;
  }
  return wanted;
}

void environment_effects::reconcile(const environment::state& now, stream_version at) {
  latest_ = now;
  count_running(now.status == status::running);
  if (!checked_) check_adopted(now);
  act(now);
  // A start that failed may have begun all the same (its answer was lost): nothing of it stays.
  if (now.status == status::error && std::exchange(may_have_begun_, false)) put_down();
  if (now.status == status::running && context_.shared.is_lost(now.incarnation))
    context_.report(environment::report_lost{now.incarnation, "lost as it started",
                                             context_.shared.options.clock.now()},
                    "lost/" + now.incarnation);
  if (now.status == status::running) run_execs(now);
  if (now.status == status::deleted) release_name(now, at);
}

void environment_effects::count_running(bool running) {
  if (running == running_) return;
  running_ = running;
  context_.shared.environments_running += running ? 1 : -1;
}

// Once, when the stream was loaded: is what the log says runs really there? A running environment's
// actor never leaves memory, so what this server started itself is not asked about.
void environment_effects::check_adopted(const environment::state& now) {
  checked_ = true;
  const auto& adopted = context_.shared.adopted;
  const auto found = adopted.find(id());
  if (now.status == status::error || now.status == status::stopped) {
    if (found != adopted.end()) put_down();
    return;
  }
  if (BERTH_MUTANT(loss_while_down_not_seen)) return;
  if (now.status != status::running ||
      (found != adopted.end() && found->second.value == now.incarnation))
    return;
  context_.report(environment::report_lost{now.incarnation, "not found when the server came back",
                                           context_.shared.alive_before},
                  "lost/" + now.incarnation);
}

// What runs and should not: a start that was answered after its deadline.
void environment_effects::put_down() {
  if (doing_ != status::absent) return;
  doing_ = status::stopping;
  context_.shared.options.host.stop(id(), context_.shared.options.owner_epoch,
                                    [this, post = context_.post](const host_result<bool>& result) {
                                      post([this, is_down = result.has_value()] {
                                        doing_ = status::absent;
                                        if (is_down || latest_.status != status::error)
                                          return act(latest_);
                                        context_.shared.timers.after(
                                            retry_delay, [this, post = context_.post] {
                                              post([this] {
                                                if (latest_.status == status::error) put_down();
                                              });
                                            });
                                      });
                                    });
}

void environment_effects::act(const environment::state& now) {
  const bool transient = now.status == status::creating || now.status == status::starting ||
                         now.status == status::stopping || now.status == status::deleting;
  // One thing at a time: what the state wants meanwhile is done when the host has answered.
  if (!transient || doing_ != status::absent) return;
  doing_ = now.status;
  auto& host = context_.shared.options.host;
  const auto epoch = context_.shared.options.owner_epoch;
  const auto then = [this, during = now.status, post = context_.post](const auto& result) {
    auto failure = result ? std::optional<host_error>{} : std::optional{result.error()};
    post([this, during, failure = std::move(failure)] { done(during, failure, {}); });
  };
  const auto started = [this, post = context_.post](const host_result<incarnation>& result) {
    auto failure = result ? std::optional<host_error>{} : std::optional{result.error()};
    post([this, failure = std::move(failure), life = result ? result->value : std::string{}] {
      done(status::starting, failure, life);
    });
  };
  switch (now.status) {
    case status::creating:
      return host.create(spec(now), then);
    case status::starting:
      return host.start(spec(now), started);
    case status::stopping:
      return host.stop(id(), epoch, then);
    default:
      return host.destroy(id(), epoch, then);
  }
}

void environment_effects::done(status during, std::optional<host_error> failure,
                               const std::string& incarnation) {
  doing_ = status::absent;
  // The state moved on while the host was busy (a delete during start): do what it wants now.
  if (latest_.status != during) {
    if (during == status::starting && latest_.status == status::error) return put_down();
    return act(latest_);
  }
  if (failure && during == status::deleting) {
    context_.shared.timers.after(retry_delay,
                                 [this, post = context_.post] { post([this] { act(latest_); }); });
    return;
  }
  const auto effect = std::string{name_of(during)};
  if (failure && during == status::starting) may_have_begun_ = true;
  if (failure)
    return context_.report(environment::report_failed{during, failure->message, failure->next_step},
                           effect);
  switch (during) {
    case status::creating:
      return context_.report(environment::report_provisioned{}, effect);
    case status::starting:
      return context_.report(
          environment::report_started{incarnation, context_.shared.options.this_host}, effect);
    case status::stopping:
      return context_.report(environment::report_stopped{}, effect);
    default:
      return context_.report(environment::report_deleted{}, effect);
  }
}

void environment_effects::run_execs(const environment::state& now) {
  for (const auto& [exec, asked] : now.pending_execs) {
    if (!execs_.insert(exec).second) continue;
    exec_request request;
    request.effect = asked.what.effect;
    if (BERTH_MUTANT(effect_repeated_after_recovery))
      request.effect.bytes[0] ^= static_cast<std::uint8_t>(context_.shared.options.owner_epoch);
    request.command = asked.what.command;
    request.env = asked.what.env;
    request.stdin_bytes = asked.what.stdin_bytes;
    request.working_directory = asked.what.working_directory;
    request.timeout = std::chrono::milliseconds{asked.what.timeout_ms};
    context_.shared.options.host.exec(
        id(), request, [this, id = exec, post = context_.post](host_result<exec_output> r) {
          post([this, id, result = std::move(r)] {
            execs_.erase(id);
            if (!result)
              return context_.report(environment::report_exec_unknown{id, result.error().message},
                                     "exec/" + id.value);
            context_.report(
                environment::report_exec{id, result->exit_code, result->stdout_bytes,
                                         result->stderr_bytes, result->truncated, result->timed_out,
                                         static_cast<std::uint64_t>(result->duration.count())},
                "exec/" + id.value);
          });
        });
  }
}

void environment_effects::release_name(const environment::state& now, stream_version at) {
  if (std::exchange(name_released_, true) || BERTH_MUTANT(name_kept_after_delete)) return;
  context_.shared.tell_surely<account::aggregate>(
      now.account.value, account::release_name{id()},
      uuid::derived("effect", "release_name", context_.key), now.account, context_.correlation(),
      cause{{aggregate_kind::environment, context_.key}, at});
}

template <>
std::unique_ptr<effects<environment::aggregate>> make_effects(
    effect_context<environment::aggregate> context) {
  return std::make_unique<environment_effects>(std::move(context));
}

}  // namespace berth::actors
