// Names and canonical texts. What the server fills in (price list, ids of effects) is no content of
// the caller's.
#include <tuple>

#include "events/core/codec.hpp"
#include "events/core/match.hpp"
#include "events/environment/aggregate.hpp"

namespace berth::environment {

std::string_view name_of(status s) {
  switch (s) {
    case status::absent:
      return "ABSENT";
    case status::creating:
      return "CREATING";
    case status::starting:
      return "STARTING";
    case status::running:
      return "RUNNING";
    case status::stopping:
      return "STOPPING";
    case status::stopped:
      return "STOPPED";
    case status::error:
      return "ERROR";
    case status::deleting:
      return "DELETING";
    case status::deleted:
      return "DELETED";
  }
  return "UNKNOWN";
}

namespace {

std::string canonical_exec(const exec& c) {
  codec::canonical_text out{"exec"};
  out.text(c.id.value).number(static_cast<std::int64_t>(c.command.size()));
  for (const auto& argument : c.command) out.text(argument);
  out.number(static_cast<std::int64_t>(c.env.size()));
  for (const auto& [name, value] : c.env) out.text(name).text(value);
  out.text(c.stdin_bytes).text(c.working_directory).number(c.timeout_ms);
  return out.take();
}

std::string canonical_report(const report_exec& c) {
  return codec::canonical_text{"report_exec"}
      .text(c.exec.value)
      .number(c.exit_code)
      .text(c.stdout_bytes)
      .text(c.stderr_bytes)
      .number(c.truncated)
      .number(c.timed_out)
      .number(static_cast<std::int64_t>(c.duration_ms))
      .take();
}

}  // namespace

std::string aggregate::canonical(const command& asked) {
  using codec::canonical_text;
  return std::visit(
      match{
          [](const create& c) {
            return canonical_text{"create"}
                .text(c.account.value)
                .text(c.name)
                .text(c.instance_type)
                .text(c.template_name)
                .take();
          },
          [](const start&) { return canonical_text{"start"}.take(); },
          [](const stop& c) {
            return canonical_text{"stop"}.number(static_cast<int>(c.reason)).take();
          },
          [](const remove&) { return canonical_text{"remove"}.take(); },
          [](const record_activity& c) {
            return canonical_text{"record_activity"}.text(c.kind).take();
          },
          [](const exec& c) { return canonical_exec(c); },
          [](const report_provisioned&) { return canonical_text{"report_provisioned"}.take(); },
          [](const report_started& c) {
            return canonical_text{"report_started"}.text(c.incarnation).text(c.host.value).take();
          },
          [](const report_stopped&) { return canonical_text{"report_stopped"}.take(); },
          [](const report_deleted&) { return canonical_text{"report_deleted"}.take(); },
          [](const report_failed& c) {
            return canonical_text{"report_failed"}
                .number(static_cast<int>(c.during))
                .text(c.cause)
                .text(c.next_step)
                .take();
          },
          [](const report_lost& c) {
            return canonical_text{"report_lost"}
                .text(c.incarnation)
                .text(c.reason)
                .number(to_us(c.alive_until))
                .take();
          },
          [](const report_exec& c) { return canonical_report(c); },
          [](const report_exec_unknown& c) {
            return canonical_text{"report_exec_unknown"}.text(c.exec.value).text(c.reason).take();
          },
          [](const deadline_passed&) { return canonical_text{"deadline_passed"}.take(); },
      },
      asked);
}

bool exec_asked::operator==(const exec_asked& other) const {
  const auto fields = [](const exec_asked& e) {
    return std::tie(e.what.id, e.what.effect, e.what.command, e.what.env, e.what.stdin_bytes,
                    e.what.working_directory, e.what.timeout_ms, e.at, e.deadline);
  };
  return fields(*this) == fields(other);
}

static_assert(berth::aggregate<aggregate>);

}  // namespace berth::environment
