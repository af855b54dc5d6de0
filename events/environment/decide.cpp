// What an environment accepts. The state diagram is in state.hpp.
#include <algorithm>

#include "events/core/arguments.hpp"
#include "events/core/instance_type.hpp"
#include "events/core/invariant.hpp"
#include "events/core/match.hpp"
#include "events/core/mutants.hpp"
#include "events/environment/aggregate.hpp"

namespace berth::environment {
namespace {

using events = std::vector<event>;
using answer = decision<event>;

constexpr std::size_t exec_output_bytes_max = 256 * 1024;  // of each of stdout and stderr
constexpr std::size_t env_name_bytes_max = 256;
constexpr auto deleting_backoff_max = std::chrono::hours{1};

std::string seconds_text(std::chrono::seconds duration) {
  return std::to_string(duration.count()) + " s";
}

bool exists(const state& now) {
  return now.status != status::absent && now.status != status::deleted;
}

rejection not_found() {
  return reject(rejection_code::not_found,
                "the environment does not exist; list yours to see what does");
}

rejection wrong_state(const state& now, std::string_view asked, std::string_view next_step) {
  return reject(rejection_code::wrong_state,
                "cannot " + std::string{asked} + " an environment that is " +
                    std::string{name_of(now.status)} + "; " + std::string{next_step});
}

// What ran inside is gone, and nobody will learn how it ended.
void give_up_execs(const state& now, std::string_view reason, timestamp at, events& out) {
  for (const auto& [id, asked] : now.pending_execs) {
    out.push_back(exec_outcome_unknown{id, std::string{reason}, at});
  }
}

answer decide_create(const state& now, const create& c, timestamp at) {
  if (now.status == status::deleted) return not_found();
  if (exists(now)) {
    const bool same = now.account == c.account && now.name == c.name &&
                      now.instance_type == c.instance_type && now.template_name == c.template_name;
    if (same) return events{};  // A repeated effect of the account is not news.
    return reject(rejection_code::wrong_state,
                  "the environment exists already with other properties");
  }
  if (auto no = refuse_id("account", c.account.value)) return *no;
  if (auto no = refuse_label("name", c.name)) return *no;
  if (find_instance_type(c.instance_type) == nullptr)
    return invalid("instance_type", "is not a known instance type");
  if (auto no = refuse_id("template", c.template_name)) return *no;
  const auto price = price_of(c.price_list, c.instance_type);
  if (!price) return invalid("price_list", "is not a known price list");
  BERTH_ASSERT(*price >= 0);
  return events{created{c.account, c.name, c.instance_type, c.template_name, c.price_list, *price,
                        at, at + creating_max}};
}

answer decide_start(const state& now, timestamp at) {
  switch (now.status) {
    case status::absent:
    case status::deleted:
      return not_found();
    case status::creating:
    case status::starting:
    case status::running:
      return events{};
    case status::stopping:
      return wrong_state(now, "start", "wait until it is STOPPED");
    case status::deleting:
      return wrong_state(now, "start", "create a new one");
    case status::stopped:
    case status::error:
      break;
  }
  return events{start_asked{at, at + starting_max}};
}

answer decide_stop(const state& now, const stop& c, timestamp at) {
  switch (now.status) {
    case status::absent:
    case status::deleted:
      return not_found();
    case status::stopping:
    case status::stopped:
      return events{};
    case status::creating:
      return wrong_state(now, "stop", "wait until it is RUNNING, or delete it");
    case status::deleting:
      return wrong_state(now, "stop", "it ends by itself");
    case status::starting:
    case status::running:
    case status::error:
      break;
  }
  events out;
  give_up_execs(now, "the environment was stopped", at, out);
  out.push_back(stop_asked{c.reason, at, at + stopping_max});
  return out;
}

answer decide_remove(const state& now, timestamp at) {
  if (!exists(now)) return not_found();
  if (now.status == status::deleting) return events{};
  events out;
  give_up_execs(now, "the environment was deleted", at, out);
  out.push_back(delete_asked{at, at + deleting_max});
  return out;
}

answer decide_activity(const state& now, const record_activity& c, timestamp at) {
  if (!exists(now)) return not_found();
  if (auto no = refuse_id("kind", c.kind)) return *no;
  if (now.status == status::deleting)
    return wrong_state(now, "record activity of", "create a new one");
  return events{activity_recorded{c.kind, at}};
}

std::optional<rejection> refuse_env(const exec& c) {
  std::size_t bytes = 0;
  for (const auto& argument : c.command) bytes += argument.size() + 1;
  for (const auto& [name, value] : c.env) {
    const bool bad_name = name.empty() || name.size() > env_name_bytes_max ||
                          name.find_first_of(std::string_view{"=\0", 2}) != std::string::npos ||
                          !is_utf8(name);
    if (bad_name) return invalid("env", "has a name that is empty, too long or contains '='");
    if (value.find('\0') != std::string::npos || !is_utf8(value)) {
      return invalid("env", "the value of " + name + " is not UTF-8 text");
    }
    bytes += name.size() + value.size() + 2;
  }
  if (bytes > exec_command_bytes_max) {
    return invalid("env", "and command together are longer than " +
                              std::to_string(exec_command_bytes_max) + " bytes");
  }
  return std::nullopt;
}

std::optional<rejection> refuse_exec(const exec& c) {
  if (auto no = refuse_id("id", c.id.value)) return no;
  if (auto no = refuse_command("command", c.command, exec_command_bytes_max)) return no;
  if (auto no = refuse_env(c)) return no;
  if (c.stdin_bytes.size() > exec_stdin_bytes_max) {
    return invalid("stdin", "is longer than " + std::to_string(exec_stdin_bytes_max) + " bytes");
  }
  if (auto no = refuse_path("working_directory", c.working_directory)) return no;
  if (c.timeout_ms == 0 || c.timeout_ms > exec_timeout_ms_max) {
    return invalid("timeout_ms", "must be 1 to " + std::to_string(exec_timeout_ms_max));
  }
  return std::nullopt;
}

std::string_view step_to_running(status from) {
  switch (from) {
    case status::creating:
    case status::starting:
      return "wait until it is RUNNING";
    case status::stopping:
      return "wait until it is STOPPED and start it";
    case status::deleting:
      return "create a new one";
    default:
      return "start it first";
  }
}

answer decide_exec(const state& now, const exec& c, timestamp at) {
  if (!exists(now)) return not_found();
  if (auto no = refuse_exec(c)) return *no;
  if (now.pending_execs.contains(c.id)) return events{};
  if (now.status != status::running)
    return wrong_state(now, "run a command in", step_to_running(now.status));
  if (now.pending_execs.size() >= execs_pending_max) {
    return reject(rejection_code::limit_exceeded,
                  std::to_string(execs_pending_max) + " commands run already; wait for one to end");
  }
  return events{exec_asked{c, at, at + std::chrono::milliseconds{c.timeout_ms} + exec_grace}};
}

// Reports are about the world: one that does not fit the present state is late, and is taken
// without an event.
answer decide_failed(const state& now, const report_failed& c, timestamp at) {
  const bool transient = now.status == status::creating || now.status == status::starting ||
                         now.status == status::stopping || now.status == status::deleting;
  if (!transient || c.during != now.status) return events{};
  auto cause = clipped(c.cause, long_text_bytes_max);
  // While DELETING only the cause is noted; it is tried again at the deadline, not at once.
  if (now.status == status::deleting && now.cause == cause) return events{};
  events out;
  give_up_execs(now, "the environment failed", at, out);
  out.push_back(failed{c.during, std::move(cause), clipped(c.next_step, long_text_bytes_max), at});
  return out;
}

answer decide_lost(const state& now, const report_lost& c, timestamp at) {
  if (now.status != status::running) return events{};
  if (c.incarnation != now.incarnation && !BERTH_MUTANT(stale_incarnation_accepted))
    return events{};
  const auto alive_until = std::clamp(c.alive_until, now.started_at, std::max(at, now.started_at));
  const auto reason = clipped(c.reason, long_text_bytes_max);
  events out;
  give_up_execs(now, "the environment was lost: " + reason, at, out);
  out.push_back(lost{reason, alive_until, at, at + starting_max});
  const bool short_life = at - now.started_at < steady_after;
  if (short_life && now.losses_in_row + 1 >= losses_in_row_max) {
    out.push_back(failed{status::starting,
                         "it was lost " + std::to_string(losses_in_row_max) + " times within " +
                             seconds_text(steady_after) + " of its start; last: " + reason,
                         "look at what ends it, then start it again", at});
  }
  return out;
}

answer decide_exec_report(const state& now, const report_exec& c, timestamp at) {
  if (!now.pending_execs.contains(c.exec)) return events{};
  const bool cut = c.stdout_bytes.size() > exec_output_bytes_max ||
                   c.stderr_bytes.size() > exec_output_bytes_max;
  return events{exec_finished{c.exec, c.exit_code, c.stdout_bytes.substr(0, exec_output_bytes_max),
                              c.stderr_bytes.substr(0, exec_output_bytes_max), c.truncated || cut,
                              c.timed_out, c.duration_ms, at}};
}

failed overdue(status during, timestamp at) {
  const auto failure = [&](std::string_view doing, std::chrono::seconds limit,
                           std::string_view next) {
    std::string cause{doing};
    cause.append(" took longer than ").append(seconds_text(limit));
    return failed{during, std::move(cause), std::string{next}, at};
  };
  if (during == status::creating)
    return failure("creating it", creating_max, "start it to try again, or delete it");
  if (during == status::starting)
    return failure("starting it", starting_max, "start it to try again, or delete it");
  BERTH_ASSERT(during == status::stopping);
  return failure("stopping it", stopping_max, "stop it again, or delete it");
}

answer decide_deadline(const state& now, timestamp at) {
  if (!exists(now)) return events{};
  events out;
  const bool status_due = now.deadline != timestamp{} && now.deadline <= at;
  for (const auto& [id, asked] : now.pending_execs) {
    if (status_due || asked.deadline <= at) {
      out.push_back(exec_outcome_unknown{id, "no result came before its deadline", at});
    }
  }
  if (!status_due) return out;
  if (now.status == status::deleting) {
    // Tried until it works, at growing intervals: the time since it was first asked, an hour at
    // most.
    const auto waited = std::chrono::duration_cast<microseconds>(at - now.changed_at);
    const auto wait = std::clamp<microseconds>(waited, deleting_max, deleting_backoff_max);
    out.push_back(delete_asked{at, at + wait});
  } else {
    out.push_back(overdue(now.status, at));
  }
  return out;
}

}  // namespace

decision<event> aggregate::decide(const state& now, const command& asked,
                                  const decide_context& context) {
  const auto at = context.now;
  if (now.status == status::absent && !std::holds_alternative<create>(asked)) return not_found();
  const auto report = [](bool fits, event happened) -> answer {
    return fits ? events{std::move(happened)} : events{};
  };
  return std::visit(
      match{
          [&](const create& c) { return decide_create(now, c, at); },
          [&](const start&) { return decide_start(now, at); },
          [&](const stop& c) { return decide_stop(now, c, at); },
          [&](const remove&) { return decide_remove(now, at); },
          [&](const record_activity& c) { return decide_activity(now, c, at); },
          [&](const exec& c) { return decide_exec(now, c, at); },
          [&](const report_provisioned&) {
            return report(now.status == status::creating, provisioned{at, at + starting_max});
          },
          [&](const report_started& c) {
            return report(now.status == status::starting, started{c.incarnation, c.host, at});
          },
          [&](const report_stopped&) {
            return report(now.status == status::stopping, stopped{at});
          },
          [&](const report_deleted&) {
            return report(now.status == status::deleting, deleted{at});
          },
          [&](const report_failed& c) { return decide_failed(now, c, at); },
          [&](const report_lost& c) { return decide_lost(now, c, at); },
          [&](const report_exec& c) { return decide_exec_report(now, c, at); },
          [&](const report_exec_unknown& c) {
            return report(now.pending_execs.contains(c.exec),
                          exec_outcome_unknown{c.exec, clipped(c.reason, long_text_bytes_max), at});
          },
          [&](const deadline_passed&) { return decide_deadline(now, at); },
      },
      asked);
}

std::optional<timestamp> aggregate::deadline(const state& now) {
  std::optional<timestamp> earliest;
  if (now.deadline != timestamp{}) earliest = now.deadline;
  for (const auto& [id, asked] : now.pending_execs) {
    if (!earliest || asked.deadline < *earliest) earliest = asked.deadline;
  }
  return earliest;
}

command aggregate::on_deadline(const state& now) {
  BERTH_ASSERT(deadline(now).has_value());
  return deadline_passed{};
}

}  // namespace berth::environment
