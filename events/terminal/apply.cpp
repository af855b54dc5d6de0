#include "events/core/match.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::terminal {
namespace {

void enter(state& now, status next, timestamp at, timestamp deadline) {
  now.status = next;
  now.changed_at = at;
  now.deadline = deadline;
}

void apply_opened(state& now, const opened& e) {
  enter(now, status::opening, e.at, e.deadline);
  now.account = e.account;
  now.environment = e.environment;
  now.cols = e.cols;
  now.rows = e.rows;
  now.command = e.command;
  now.working_directory = e.working_directory;
  now.journal = e.journal;
  now.journal_tail_bytes = e.journal_tail_bytes;
  now.opened_at = e.at;
}

void apply_started(state& now, const started& e) {
  // A close that was asked while it opened keeps its own deadline.
  now.status = status::running;
  if (!now.close_asked) enter(now, status::running, e.at, {});
  now.incarnation = e.incarnation;
  now.pid = e.pid;
}

void apply_close_asked(state& now, const close_asked& e) {
  if (!now.close_asked)
    now.changed_at = e.at;  // Later tries keep it: their interval grows with it.
  now.close_asked = true;
  now.deadline = e.deadline;
}

void apply_ended(state& now, const ended& e) {
  enter(now, status::ended, e.at, {});
  now.driver = {};
  now.end = e;
}

}  // namespace

state aggregate::apply(state now, const event& happened) {
  std::visit(match{
                 [&](const opened& e) { apply_opened(now, e); },
                 [&](const started& e) { apply_started(now, e); },
                 [&](const resized& e) {
                   now.cols = e.cols;
                   now.rows = e.rows;
                 },
                 [&](const driver_changed& e) { now.driver = e.session; },
                 [&](const close_asked& e) { apply_close_asked(now, e); },
                 [&](const ended& e) { apply_ended(now, e); },
                 [&](const removed& e) { enter(now, status::removed, e.at, {}); },
             },
             happened);
  return now;
}

}  // namespace berth::terminal
