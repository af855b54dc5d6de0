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
  if (now.status == status::deleted) release_name(now, at);
  if (!at_home()) return;
  forget_execs();
  count_running(now.status == status::running);
  if (!checked_) check_adopted();
  pursue();
  if (now.status == status::running) {
    if (context_.shared.is_lost(now.incarnation))
      report_lost("lost as it started", context_.shared.options.clock.now());
    run_execs(now);
  }
}

// In a cluster: nor is what another machine has begun again here, though that machine is gone for
// good. It may only be deleted.
bool environment_effects::at_home() const {
  const auto& shared = context_.shared;
  if (!shared.options.nodes) return true;
  const bool is_elsewhere = latest_.host && latest_.host != shared.options.this_host;
  const bool is_to_go = latest_.status == status::deleting || latest_.status == status::deleted;
  return shared.at_home({aggregate_kind::environment, context_.key}) && (!is_elsewhere || is_to_go);
}

void environment_effects::count_running(bool running) {
  if (running == running_) return;
  running_ = running;
  context_.shared.environments_running += running ? 1 : -1;
}

void environment_effects::report_lost(const std::string& reason, timestamp alive_until) {
  context_.report(environment::report_lost{latest_.incarnation, reason, alive_until},
                  "lost/" + latest_.incarnation);
}

// Once, when the stream was loaded: is what the log says runs really there? A running environment's
// actor never leaves memory, so what this server started itself is not asked about.
void environment_effects::check_adopted() {
  checked_ = true;
  const auto& adopted = context_.shared.adopted;
  const auto found = adopted.find(id());
  may_be_there_ = found != adopted.end();
  may_run_ = may_be_there_ && !found->second.value.empty();
  if (BERTH_MUTANT(loss_while_down_not_seen) || latest_.status != status::running) return;
  if (!may_run_ || found->second.value != latest_.incarnation)
    report_lost("not found when the server came back", context_.shared.alive_before);
}

// `then` is told what the host answers, in the actor, unless it does so too late.
template <class T>
host_completion<T> environment_effects::expect(status during,
                                               std::function<void(const host_result<T>&)> then) {
  doing_ = during;
  const auto number = ++asked_;
  ++unanswered_;
  context_.shared.timers.after(answer_max, [this, number, post = context_.post] {
    post([this, number] {
      if (number != asked_ || doing_ == status::absent) return;
      may_run_ = may_run_ || doing_ == status::stopping;
      may_be_there_ = may_be_there_ || doing_ == status::deleting;
      may_be_down_ = may_be_down_ || doing_ == status::running;
      doing_ = status::absent;
      pursue();
    });
  });
  return [this, during, number, then = std::move(then),
          post = context_.post](const host_result<T>& result) {
    // `result = result`: a const member would be moved through result<bool>'s constructor from
    // bool.
    post([this, during, number, then, result = result] {
      --unanswered_;
      if (number != asked_ || doing_ == status::absent)
        return result.has_value() ? answered_late(during) : void();
      doing_ = status::absent;
      then(result);
    });
  };
}

// The host did what was given up. What it is doing by now may come before or after that.
void environment_effects::answered_late(status during) {
  may_run_ = may_run_ || during == status::starting || during == status::running;
  may_be_there_ = may_be_there_ || during == status::creating;
  may_be_down_ = may_be_down_ || during == status::stopping;
  pursue();
}

// Has the world something else than the state wants? The way from one to the other may be a timer
// that nothing else knows of.
bool environment_effects::is_unsettled() const {
  switch (latest_.status) {
    case status::creating:
    case status::starting:
    case status::stopping:
    case status::deleting:
      return true;
    case status::stopped:
    case status::error:
      // A start that was answered after its deadline, or failed and may have begun all the same.
      return may_run_;
    case status::deleted:
      return may_be_there_;
    case status::running:
      return may_be_down_;
    case status::absent:
      break;
  }
  return false;
}

// Brings the world nearer to what the state wants, one request at a time: whatever ends comes back
// here.
void environment_effects::pursue() {
  if (doing_ != status::absent || reporting_ || !is_unsettled()) return;
  if (should_be_down()) return undo(status::stopping, may_run_, &environment_host::stop);
  if (latest_.status == status::deleted)
    return undo(status::deleting, may_be_there_, &environment_host::destroy);
  if (latest_.status == status::running) return look_whether_up();
  ask_host();
}

void environment_effects::pursue_later() {
  context_.shared.timers.after(retry_delay,
                               [this, post = context_.post] { post([this] { pursue(); }); });
}

void environment_effects::undo(status during, bool& is_left, undoing how) {
  is_left = false;
  (context_.shared.options.host.*how)(
      id(), context_.shared.options.owner_epoch,
      expect<bool>(during, [this, &is_left](const host_result<bool>& result) {
        if (result) return pursue();
        is_left = true;
        pursue_later();
      }));
}

// A start says the life that is there, or begins another (H2).
void environment_effects::look_whether_up() {
  may_be_down_ = false;
  context_.shared.options.host.start(
      spec(latest_),
      expect<incarnation>(status::running, [this](const host_result<incarnation>& result) {
        if (latest_.status != status::running) return pursue();
        if (result && result->value == latest_.incarnation) return pursue();
        if (result)
          return report_lost("stopped by a request that was given up",
                             context_.shared.options.clock.now());
        may_be_down_ = true;
        pursue_later();
      }));
}

void environment_effects::ask_host() {
  auto& host = context_.shared.options.host;
  const auto epoch = context_.shared.options.owner_epoch;
  const auto during = latest_.status;
  const auto then = [this, during] {
    return expect<bool>(during, [this, during](const host_result<bool>& result) {
      done(during, result ? std::nullopt : std::optional{result.error()}, {});
    });
  };
  may_run_ = during == status::starting;
  may_be_there_ = false;
  may_be_down_ = false;
  switch (during) {
    case status::creating:
      return host.create(spec(latest_), then());
    case status::starting:
      return host.start(
          spec(latest_),
          expect<incarnation>(status::starting, [this](const host_result<incarnation>& result) {
            done(status::starting, result ? std::nullopt : std::optional{result.error()},
                 result ? result->value : std::string{});
          }));
    case status::stopping:
      return host.stop(id(), epoch, then());
    default:
      return host.destroy(id(), epoch, then());
  }
}

void environment_effects::done(status during, const std::optional<host_error>& failure,
                               const std::string& incarnation) {
  if (failure && during == status::stopping) may_run_ = true;
  if (failure && during == status::deleting) {
    may_be_there_ = true;
    return pursue_later();
  }
  // The state moved on while the host was busy (a delete during start): do what it wants now. What
  // may have been undone meanwhile is asked for again.
  const bool is_undone = during == status::starting && std::exchange(may_be_down_, false);
  if (latest_.status != during || is_undone) return pursue();
  if (failure)
    return report(environment::report_failed{during, failure->message, failure->next_step}, during);
  switch (during) {
    case status::creating:
      return report(environment::report_provisioned{}, during);
    case status::starting:
      return report(environment::report_started{incarnation, context_.shared.options.this_host},
                    during);
    case status::stopping:
      return report(environment::report_stopped{}, during);
    default:
      return report(environment::report_deleted{}, during);
  }
}

// While a report is on its way the state still wants what was done: it is not asked for twice, or
// the second answer would be of a life that is over when it is recorded.
void environment_effects::report(environment::command what, status during) {
  reporting_ = true;
  context_.report_then(std::move(what), std::string{name_of(during)},
                       [this, post = context_.post](bool taken) {
                         post([this, taken] {
                           reporting_ = false;
                           taken ? pursue() : pursue_later();
                         });
                       });
}

// What the log gave up is not waited for, though the host may still answer.
void environment_effects::forget_execs() {
  std::erase_if(execs_, [this](const auto& each) { return !latest_.pending_execs.contains(each); });
}

void environment_effects::run_execs(const environment::state& now) {
  for (const auto& [exec, asked] : now.pending_execs) {
    if (!execs_.insert(exec).second) continue;
    exec_request request;
    request.effect = asked.what.effect;
    if (BERTH_MUTANT(effect_repeated_after_recovery))
      request.effect.bytes[0] ^= static_cast<std::uint8_t>(context_.shared.options.owner_epoch);
    request.life = {now.incarnation};
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
