// Environments and terminals, as the reference model has them.
#include "events/core/match.hpp"
#include "tests/sim/model.hpp"

namespace berth::sim {

using environment::status;

namespace {

using environment_verdict = verdict<environment::event>;
using environment_events = std::vector<environment::event>;

bool is_transient(status now) {
  return now == status::creating || now == status::starting || now == status::stopping ||
         now == status::deleting;
}
bool is_there(const environment_model& now) {
  return now.status != status::absent && now.status != status::deleted;
}

// Whatever runs inside ends with the life it ran in.
environment_events with_execs_given_up(const environment_model& now, environment::event then,
                                       timestamp at) {
  environment_events all;
  for (const auto& each : now.execs) all.push_back(environment::exec_outcome_unknown{each, {}, at});
  all.push_back(std::move(then));
  return all;
}

environment_verdict judge_start(const environment_model& now, timestamp at) {
  switch (now.status) {
    case status::stopped:
    case status::error:
      return environment_events{environment::start_asked{at, at + std::chrono::seconds{60}}};
    case status::stopping:
    case status::deleting:
      return rejection_code::wrong_state;
    default:
      return environment_events{};  // it starts or runs already
  }
}

environment_verdict judge_stop(const environment_model& now, const environment::stop& c,
                               timestamp at) {
  switch (now.status) {
    case status::stopping:
    case status::stopped:
      return environment_events{};
    case status::creating:
    case status::deleting:
      return rejection_code::wrong_state;
    default:
      return with_execs_given_up(
          now, environment::stop_asked{c.reason, at, at + std::chrono::seconds{30}}, at);
  }
}

environment_verdict judge_exec(const environment_model& now, const environment::exec& c,
                               timestamp at) {
  if (c.command.empty() || c.command.front().empty() || c.timeout_ms == 0)
    return rejection_code::invalid_argument;
  if (now.execs.contains(c.id)) return environment_events{};
  if (now.status != status::running) return rejection_code::wrong_state;
  return environment_events{environment::exec_asked{
      c, at, at + std::chrono::milliseconds{c.timeout_ms} + std::chrono::seconds{15}}};
}

}  // namespace

environment_verdict judge(const environment_model& now, const environment::command& asked,
                          timestamp at) {
  if (!is_there(now)) return rejection_code::not_found;
  if (std::holds_alternative<environment::start>(asked)) return judge_start(now, at);
  if (const auto* c = std::get_if<environment::stop>(&asked)) return judge_stop(now, *c, at);
  if (std::holds_alternative<environment::remove>(asked)) {
    if (now.status == status::deleting) return environment_events{};
    return with_execs_given_up(now, environment::delete_asked{at, at + std::chrono::seconds{60}},
                               at);
  }
  if (const auto* c = std::get_if<environment::record_activity>(&asked)) {
    if (c->kind.empty()) return rejection_code::invalid_argument;
    if (now.status == status::deleting) return rejection_code::wrong_state;
    return environment_events{environment::activity_recorded{c->kind, at}};
  }
  if (const auto* c = std::get_if<environment::exec>(&asked)) return judge_exec(now, *c, at);
  return rejection_code::quarantined;
}

namespace {

complaint enter(environment_model& now, std::initializer_list<status> from, status to,
                std::string_view event) {
  const auto was = std::exchange(now.status, to);
  if (!is_transient(to)) now.deadline = {};
  for (const auto each : from)
    if (was == each) return {};
  return std::string{event} + " came while " + std::string{environment::name_of(was)};
}

complaint end_exec(environment_model& now, const exec_id& exec) {
  if (now.execs.erase(exec) == 1) return {};
  return "exec " + exec.value + " ended and did not run";
}

complaint follow_failed(environment_model& now, const environment::failed& e) {
  if (e.during != now.status) return "a failure of another state was recorded";
  if (e.during == status::deleting) return {};
  return enter(now, {status::creating, status::starting, status::stopping}, status::error,
               "failed");
}

complaint follow_lost(environment_model& now, const environment::lost& e) {
  if (e.alive_until < now.started_at || e.alive_until > std::max(e.at, now.started_at))
    return "a lost environment is said to have lived when it did not";
  now.incarnation.clear();
  return enter(now, {status::running}, status::starting, "lost");
}

complaint follow_started(environment_model& now, const environment::started& e) {
  now.incarnation = e.incarnation;
  now.started_at = e.at;
  now.activity = std::max(now.activity, e.at);
  return enter(now, {status::starting}, status::running, "started");
}

}  // namespace

namespace {

// Events that enter a state which must end say by when.
void follow_deadline(environment_model& now, const environment::event& happened) {
  std::visit(
      [&now](const auto& e) {
        using event_type = std::decay_t<decltype(e)>;
        constexpr bool is_of_exec = std::is_same_v<event_type, environment::exec_asked>;
        if constexpr (!is_of_exec && requires { e.deadline; }) {
          now.deadline = e.deadline;
          now.deadline_since = e.at;
        }
      },
      happened);
}

}  // namespace

complaint follow(environment_model& now, const environment::event& happened) {
  follow_deadline(now, happened);
  return std::visit(
      match{
          [&](const environment::created& e) {
            now.account = e.account;
            now.name = e.name;
            now.instance_type = e.instance_type;
            now.activity = e.at;
            return enter(now, {status::absent}, status::creating, "created");
          },
          [&](const environment::provisioned&) {
            return enter(now, {status::creating}, status::starting, "provisioned");
          },
          [&](const environment::start_asked&) {
            now.incarnation.clear();
            return enter(now, {status::stopped, status::error}, status::starting, "start_asked");
          },
          [&](const environment::started& e) { return follow_started(now, e); },
          [&](const environment::stop_asked&) {
            return enter(now, {status::starting, status::running, status::error}, status::stopping,
                         "stop_asked");
          },
          [&](const environment::stopped&) {
            now.incarnation.clear();
            return enter(now, {status::stopping}, status::stopped, "stopped");
          },
          [&](const environment::failed& e) { return follow_failed(now, e); },
          [&](const environment::delete_asked&) -> complaint {
            if (!is_there(now)) return "what is not there was to be deleted";
            now.status = status::deleting;
            return {};
          },
          [&](const environment::deleted&) {
            now.incarnation.clear();
            now.execs.clear();
            return enter(now, {status::deleting}, status::deleted, "deleted");
          },
          [&](const environment::lost& e) { return follow_lost(now, e); },
          [&](const environment::activity_recorded& e) -> complaint {
            now.activity = std::max(now.activity, e.at);
            return {};
          },
          [&](const environment::exec_asked& e) -> complaint {
            const bool fresh = now.execs.insert(e.what.id).second;
            if (!fresh || now.status != status::running) return "an exec was taken out of turn";
            return {};
          },
          [&](const environment::exec_finished& e) { return end_exec(now, e.exec); },
          [&](const environment::exec_outcome_unknown& e) { return end_exec(now, e.exec); },
      },
      happened);
}

complaint differs(const environment_model& model, const environment::state& told) {
  if (model.status != told.status)
    return "the status: " + std::string{environment::name_of(told.status)} + ", not " +
           std::string{environment::name_of(model.status)};
  if (model.account != told.account || model.name != told.name ||
      model.instance_type != told.instance_type)
    return "what was created";
  if (model.incarnation != told.incarnation) return "the incarnation";
  if (model.activity != told.last_activity) return "the last activity";
  if (model.execs.size() != told.pending_execs.size()) return "the number of execs";
  for (const auto& each : model.execs)
    if (!told.pending_execs.contains(each)) return "exec " + each.value;
  return {};
}

void forget_texts(std::vector<environment::event>& events) {
  for (auto& each : events)
    if (auto* lost = std::get_if<environment::exec_outcome_unknown>(&each)) lost->reason.clear();
}

namespace {

using terminal_verdict = verdict<terminal::event>;
using terminal_events = std::vector<terminal::event>;

bool is_live(const terminal_model& now) {
  return now.status == terminal::status::opening || now.status == terminal::status::running;
}
bool fits(std::uint16_t cells) {
  return cells >= 1 && cells <= 1000;
}

}  // namespace

terminal_verdict judge(const terminal_model& now, const terminal::command& asked, timestamp at) {
  if (now.status == terminal::status::removed) return rejection_code::not_found;
  const bool is_there = now.status != terminal::status::absent;
  if (const auto* c = std::get_if<terminal::open>(&asked)) {
    if (is_there) {
      const bool same = now.account == c->account && now.environment == c->environment &&
                        now.journal == c->journal;
      if (same) return terminal_events{};
      return rejection_code::wrong_state;
    }
    if (!fits(c->cols) || !fits(c->rows)) return rejection_code::invalid_argument;
    return terminal_events{terminal::opened{
        c->account, c->environment, c->cols, c->rows, c->command, c->working_directory, c->journal,
        c->journal_tail_bytes, at, at + std::chrono::seconds{30}}};
  }
  if (!is_there) return rejection_code::not_found;
  if (const auto* c = std::get_if<terminal::resize>(&asked)) {
    if (!fits(c->cols) || !fits(c->rows)) return rejection_code::invalid_argument;
    if (!is_live(now)) return rejection_code::wrong_state;
    if (now.cols == c->cols && now.rows == c->rows) return terminal_events{};
    return terminal_events{terminal::resized{c->offset, c->cols, c->rows, at}};
  }
  if (const auto* c = std::get_if<terminal::take_drive>(&asked)) {
    if (now.driver == c->session) return terminal_events{};
    if (!is_live(now)) return rejection_code::wrong_state;
    return terminal_events{terminal::driver_changed{c->session, at}};
  }
  if (std::holds_alternative<terminal::close>(asked)) {
    if (!is_live(now) || now.close_asked) return terminal_events{};
    return terminal_events{terminal::close_asked{at, at + std::chrono::seconds{15}}};
  }
  if (std::holds_alternative<terminal::remove>(asked)) {
    if (is_live(now)) return rejection_code::wrong_state;
    return terminal_events{terminal::removed{at}};
  }
  return rejection_code::quarantined;
}

complaint follow(terminal_model& now, const terminal::event& happened) {
  const bool opens = std::holds_alternative<terminal::opened>(happened);
  const bool removes = std::holds_alternative<terminal::removed>(happened);
  if (opens != (now.status == terminal::status::absent))
    return "a terminal was opened twice, or lived before it was opened";
  if (!opens && removes == is_live(now))
    return "an ended terminal went on, or a live one was removed";
  return std::visit(match{
                        [&](const terminal::opened& e) -> complaint {
                          now = {terminal::status::opening,
                                 e.account,
                                 e.environment,
                                 e.cols,
                                 e.rows,
                                 e.journal,
                                 {},
                                 false,
                                 0};
                          return {};
                        },
                        [&](const terminal::started&) -> complaint {
                          if (now.status == terminal::status::running) return "it started twice";
                          now.status = terminal::status::running;
                          return {};
                        },
                        [&](const terminal::resized& e) -> complaint {
                          now.cols = e.cols;
                          now.rows = e.rows;
                          return {};
                        },
                        [&](const terminal::driver_changed& e) -> complaint {
                          now.driver = e.session;
                          return {};
                        },
                        [&](const terminal::close_asked&) -> complaint {
                          now.close_asked = true;
                          return {};
                        },
                        [&](const terminal::ended& e) -> complaint {
                          now.status = terminal::status::ended;
                          now.driver = {};
                          now.final_offset = e.final_offset;
                          return {};
                        },
                        [&](const terminal::removed&) -> complaint {
                          now.status = terminal::status::removed;
                          return {};
                        },
                    },
                    happened);
}

complaint differs(const terminal_model& model, const terminal::state& told) {
  if (model.status != told.status)
    return "the status: " + std::string{terminal::name_of(told.status)} + ", not " +
           std::string{terminal::name_of(model.status)};
  if (model.account != told.account || model.environment != told.environment) return "whose it is";
  if (model.cols != told.cols || model.rows != told.rows) return "the size";
  if (model.driver != told.driver) return "the driver";
  if (model.close_asked != told.close_asked) return "whether it is to close";
  if (told.end && told.end->final_offset != model.final_offset) return "the final offset";
  return {};
}

}  // namespace berth::sim
