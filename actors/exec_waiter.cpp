#include "actors/exec_waiter.hpp"

#include "actors/stream_history.hpp"

namespace berth::actors {

void exec_waiter::accepted(const answer<environment::aggregate>& asked) {
  const std::lock_guard lock{mutex_};
  asked_at_ = asked.version;
  replayed_ = asked.replayed;
}

void exec_waiter::watch(std::shared_ptr<void> handle) {
  const std::lock_guard lock{mutex_};
  if (!finished_) handle_ = std::move(handle);
}

void exec_waiter::seen(const outcome<answer<environment::aggregate>>& now) {
  if (!now) return fail(now.error());
  if (now->state->pending_execs.contains(exec_)) return;
  finish(find_outcome());
}

void exec_waiter::fail(rejection why) {
  finish(std::move(why));
}

void exec_waiter::finish(outcome<exec_answer> result) {
  std::function<void(outcome<exec_answer>)> then;
  std::shared_ptr<void> handle;
  {
    const std::lock_guard lock{mutex_};
    finished_ = true;
    then = std::exchange(done_, nullptr);
    handle = std::move(handle_);
  }
  if (then) then(std::move(result));
}

outcome<exec_answer> exec_waiter::find_outcome() const {
  constexpr std::size_t read_batch = 128;
  const stream_id stream{aggregate_kind::environment, environment_.value};
  auto after = asked_at_;
  for (;;) {
    const auto commits = log_.read_stream(stream, after, read_batch);
    if (!commits) return to_rejection(commits.error());
    for (const auto& each : *commits) {
      after = each.body.last();
      for (const auto& record : each.body.events) {
        const auto event = environment::aggregate::decode(record);
        if (!event) return quarantine(stream, each.body.first, event.error());
        if (const auto* end = std::get_if<environment::exec_finished>(&*event);
            end && end->exec == exec_)
          return exec_answer{*end, after, each.at(), replayed_};
        if (const auto* lost = std::get_if<environment::exec_outcome_unknown>(&*event);
            lost && lost->exec == exec_)
          return reject(
              rejection_code::unknown_outcome,
              "outcome_unknown: " + lost->reason + "; the command may or may not have run", "exec");
      }
    }
    if (commits->size() < read_batch) break;
  }
  return reject(rejection_code::unknown_outcome,
                "the outcome of " + exec_.value + " is not in the stream yet; retry");
}

}  // namespace berth::actors
