#include <algorithm>

#include "events/core/match.hpp"
#include "events/environment/aggregate.hpp"

namespace berth::environment {
namespace {

void enter(state& now, status next, timestamp at, timestamp deadline = {}) {
  now.status = next;
  now.changed_at = at;
  now.deadline = deadline;
}

void forget_life(state& now) {
  now.incarnation.clear();
  now.host = {};
}

void forget_failure(state& now) {
  now.cause.clear();
  now.next_step.clear();
}

void apply_created(state& now, const created& e) {
  enter(now, status::creating, e.at, e.deadline);
  now.account = e.account;
  now.name = e.name;
  now.instance_type = e.instance_type;
  now.template_name = e.template_name;
  now.price_list = e.price_list;
  now.price_pico_usd_per_second = e.price_pico_usd_per_second;
  now.created_at = e.at;
  now.last_activity = e.at;
}

void apply_started(state& now, const started& e) {
  enter(now, status::running, e.at);
  now.incarnation = e.incarnation;
  now.host = e.host;
  now.started_at = e.at;
  now.failed_during = status::absent;
  now.last_activity = std::max(now.last_activity, e.at);
}

void apply_stopped(state& now, const stopped& e) {
  enter(now, status::stopped, e.at);
  forget_life(now);
  now.failed_during = status::absent;
}

void apply_failed(state& now, const failed& e) {
  // DELETING is left by DELETED only: the failure is noted, the deadline tries again.
  if (e.during != status::deleting) {
    enter(now, status::error, e.at);
    now.failed_during = e.during;
  }
  now.cause = e.cause;
  now.next_step = e.next_step;
}

void apply_delete_asked(state& now, const delete_asked& e) {
  if (now.status == status::deleting) {
    now.deadline = e.deadline;  // changed_at stays: the interval of the next try grows with it.
    return;
  }
  enter(now, status::deleting, e.at, e.deadline);
  forget_failure(now);
}

void apply_lost(state& now, const lost& e) {
  const bool short_life = e.at - now.started_at < steady_after;
  now.losses_in_row = short_life ? now.losses_in_row + 1 : 0;
  enter(now, status::starting, e.at, e.deadline);
  forget_life(now);
}

}  // namespace

state aggregate::apply(state now, const event& happened) {
  std::visit(match{
                 [&](const created& e) { apply_created(now, e); },
                 [&](const provisioned& e) { enter(now, status::starting, e.at, e.deadline); },
                 [&](const start_asked& e) {
                   enter(now, status::starting, e.at, e.deadline);
                   forget_life(now);
                   forget_failure(now);
                   now.losses_in_row = 0;
                 },
                 [&](const started& e) { apply_started(now, e); },
                 [&](const stop_asked& e) {
                   enter(now, status::stopping, e.at, e.deadline);
                   forget_failure(now);
                 },
                 [&](const stopped& e) { apply_stopped(now, e); },
                 [&](const failed& e) { apply_failed(now, e); },
                 [&](const delete_asked& e) { apply_delete_asked(now, e); },
                 [&](const deleted& e) {
                   enter(now, status::deleted, e.at);
                   forget_life(now);
                   now.pending_execs.clear();
                 },
                 [&](const lost& e) { apply_lost(now, e); },
                 [&](const activity_recorded& e) {
                   now.last_activity = std::max(now.last_activity, e.at);
                 },
                 [&](const exec_asked& e) { now.pending_execs.insert_or_assign(e.what.id, e); },
                 [&](const exec_finished& e) { now.pending_execs.erase(e.exec); },
                 [&](const exec_outcome_unknown& e) { now.pending_execs.erase(e.exec); },
             },
             happened);
  return now;
}

}  // namespace berth::environment
