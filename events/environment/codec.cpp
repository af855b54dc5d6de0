// Events and states <-> FlatBuffers (schemas/environment.fbs). A variant's index + 1 is the union's
// tag.
#include "events/core/codec.hpp"

#include "events/environment/aggregate.hpp"
#include "schemas/environment_generated.h"

namespace berth::environment {
namespace {

namespace stored = ::berth::fb::environment;
using codec::field_reader;

static_assert(std::variant_size_v<event> == static_cast<std::size_t>(stored::Event::MAX));

stored::CreatedT to_table(const created& e) {
  stored::CreatedT t;
  t.account = e.account.value;
  t.name = e.name;
  t.instance_type = e.instance_type;
  t.template_ = e.template_name;
  t.price_list = e.price_list;
  t.price_pico_usd_per_second = e.price_pico_usd_per_second;
  t.at_us = to_us(e.at);
  t.deadline_us = to_us(e.deadline);
  return t;
}
created from_table(const stored::CreatedT& t, field_reader& read) {
  return {{t.account},        t.name,
          t.instance_type,    t.template_,
          t.price_list,       t.price_pico_usd_per_second,
          read.time(t.at_us), read.time(t.deadline_us)};
}

// Events that are only a time and a deadline.
template <class Table, class Event>
Table timed_table(const Event& e) {
  Table t;
  t.at_us = to_us(e.at);
  if constexpr (requires { e.deadline; }) t.deadline_us = to_us(e.deadline);
  return t;
}

stored::ProvisionedT to_table(const provisioned& e) {
  return timed_table<stored::ProvisionedT>(e);
}
stored::StartAskedT to_table(const start_asked& e) {
  return timed_table<stored::StartAskedT>(e);
}
stored::StoppedT to_table(const stopped& e) {
  return timed_table<stored::StoppedT>(e);
}
stored::DeleteAskedT to_table(const delete_asked& e) {
  return timed_table<stored::DeleteAskedT>(e);
}
stored::DeletedT to_table(const deleted& e) {
  return timed_table<stored::DeletedT>(e);
}

provisioned from_table(const stored::ProvisionedT& t, field_reader& read) {
  return {read.time(t.at_us), read.time(t.deadline_us)};
}
start_asked from_table(const stored::StartAskedT& t, field_reader& read) {
  return {read.time(t.at_us), read.time(t.deadline_us)};
}
stopped from_table(const stored::StoppedT& t, field_reader& read) {
  return {read.time(t.at_us)};
}
delete_asked from_table(const stored::DeleteAskedT& t, field_reader& read) {
  return {read.time(t.at_us), read.time(t.deadline_us)};
}
deleted from_table(const stored::DeletedT& t, field_reader& read) {
  return {read.time(t.at_us)};
}

stored::StartedT to_table(const started& e) {
  auto t = timed_table<stored::StartedT>(e);
  t.incarnation = e.incarnation;
  t.host = e.host.value;
  return t;
}
started from_table(const stored::StartedT& t, field_reader& read) {
  return {t.incarnation, {t.host}, read.time(t.at_us)};
}

stored::StopAskedT to_table(const stop_asked& e) {
  auto t = timed_table<stored::StopAskedT>(e);
  t.reason = static_cast<stored::StopReason>(e.reason);
  return t;
}
stop_asked from_table(const stored::StopAskedT& t, field_reader& read) {
  return {read.enumeration<stop_reason>(t.reason), read.time(t.at_us), read.time(t.deadline_us)};
}

stored::FailedT to_table(const failed& e) {
  auto t = timed_table<stored::FailedT>(e);
  t.during = static_cast<stored::Status>(e.during);
  t.cause = e.cause;
  t.next_step = e.next_step;
  return t;
}
failed from_table(const stored::FailedT& t, field_reader& read) {
  return {read.enumeration<status>(t.during), t.cause, t.next_step, read.time(t.at_us)};
}

stored::LostT to_table(const lost& e) {
  auto t = timed_table<stored::LostT>(e);
  t.reason = e.reason;
  t.alive_until_us = to_us(e.alive_until);
  return t;
}
lost from_table(const stored::LostT& t, field_reader& read) {
  return {t.reason, read.time(t.alive_until_us), read.time(t.at_us), read.time(t.deadline_us)};
}

stored::ActivityRecordedT to_table(const activity_recorded& e) {
  auto t = timed_table<stored::ActivityRecordedT>(e);
  t.kind = e.kind;
  return t;
}
activity_recorded from_table(const stored::ActivityRecordedT& t, field_reader& read) {
  return {t.kind, read.time(t.at_us)};
}

stored::ExecAskedT to_table(const exec_asked& e) {
  auto t = timed_table<stored::ExecAskedT>(e);
  t.exec = e.what.id.value;
  t.effect = codec::to_bytes(e.what.effect);
  t.command = e.what.command;
  for (const auto& [name, value] : e.what.env) {
    auto& variable = *t.env.emplace_back(std::make_unique<stored::EnvVariableT>());
    variable.name = name;
    variable.value = value;
  }
  t.stdin_bytes = codec::to_bytes(std::string_view{e.what.stdin_bytes});
  t.working_directory = e.what.working_directory;
  t.timeout_ms = e.what.timeout_ms;
  return t;
}
exec_asked from_table(const stored::ExecAskedT& t, field_reader& read) {
  exec_asked e{{{t.exec},
                read.id(t.effect),
                t.command,
                {},
                codec::to_text(t.stdin_bytes),
                t.working_directory,
                t.timeout_ms},
               read.time(t.at_us),
               read.time(t.deadline_us)};
  for (const auto& variable : t.env) e.what.env.insert_or_assign(variable->name, variable->value);
  return e;
}

stored::ExecFinishedT to_table(const exec_finished& e) {
  auto t = timed_table<stored::ExecFinishedT>(e);
  t.exec = e.exec.value;
  t.exit_code = e.exit_code;
  t.stdout_bytes = codec::to_bytes(std::string_view{e.stdout_bytes});
  t.stderr_bytes = codec::to_bytes(std::string_view{e.stderr_bytes});
  t.truncated = e.truncated;
  t.timed_out = e.timed_out;
  t.duration_ms = e.duration_ms;
  return t;
}
exec_finished from_table(const stored::ExecFinishedT& t, field_reader& read) {
  return {{t.exec},
          t.exit_code,
          codec::to_text(t.stdout_bytes),
          codec::to_text(t.stderr_bytes),
          t.truncated,
          t.timed_out,
          t.duration_ms,
          read.time(t.at_us)};
}

stored::ExecOutcomeUnknownT to_table(const exec_outcome_unknown& e) {
  auto t = timed_table<stored::ExecOutcomeUnknownT>(e);
  t.exec = e.exec.value;
  t.reason = e.reason;
  return t;
}
exec_outcome_unknown from_table(const stored::ExecOutcomeUnknownT& t, field_reader& read) {
  return {{t.exec}, t.reason, read.time(t.at_us)};
}

event from_union(const stored::EventUnion& u, field_reader& read) {
  switch (u.type) {
    case stored::Event::NONE:
      break;
    case stored::Event::Created:
      return from_table(*u.AsCreated(), read);
    case stored::Event::Provisioned:
      return from_table(*u.AsProvisioned(), read);
    case stored::Event::StartAsked:
      return from_table(*u.AsStartAsked(), read);
    case stored::Event::Started:
      return from_table(*u.AsStarted(), read);
    case stored::Event::StopAsked:
      return from_table(*u.AsStopAsked(), read);
    case stored::Event::Stopped:
      return from_table(*u.AsStopped(), read);
    case stored::Event::Failed:
      return from_table(*u.AsFailed(), read);
    case stored::Event::DeleteAsked:
      return from_table(*u.AsDeleteAsked(), read);
    case stored::Event::Deleted:
      return from_table(*u.AsDeleted(), read);
    case stored::Event::Lost:
      return from_table(*u.AsLost(), read);
    case stored::Event::ActivityRecorded:
      return from_table(*u.AsActivityRecorded(), read);
    case stored::Event::ExecAsked:
      return from_table(*u.AsExecAsked(), read);
    case stored::Event::ExecFinished:
      return from_table(*u.AsExecFinished(), read);
    case stored::Event::ExecOutcomeUnknown:
      return from_table(*u.AsExecOutcomeUnknown(), read);
  }
  read.ok = false;
  return event{};
}

state from_table(const stored::StateT& t, field_reader& read) {
  state now;
  now.status = read.enumeration<status>(t.status);
  now.account.value = t.account;
  now.name = t.name;
  now.instance_type = t.instance_type;
  now.template_name = t.template_;
  now.price_list = t.price_list;
  now.price_pico_usd_per_second = t.price_pico_usd_per_second;
  now.created_at = read.time(t.created_at_us);
  now.changed_at = read.time(t.changed_at_us);
  now.deadline = read.time(t.deadline_us);
  now.started_at = read.time(t.started_at_us);
  now.incarnation = t.incarnation;
  now.host.value = t.host;
  now.failed_during = read.enumeration<status>(t.failed_during);
  now.cause = t.cause;
  now.next_step = t.next_step;
  now.last_activity = read.time(t.last_activity_us);
  now.losses_in_row = t.losses_in_row;
  for (const auto& asked : t.pending_execs) {
    auto e = from_table(*asked, read);
    now.pending_execs.insert_or_assign(e.what.id, std::move(e));
  }
  return now;
}

}  // namespace

event_record aggregate::encode(const event& happened) {
  return std::visit([](const auto& e) { return codec::encode_event<stored::Record>(to_table(e)); },
                    happened);
}

decoded<event> aggregate::decode(const event_record& record) {
  const auto table = codec::decode_event<stored::Record>(name_of(kind), record);
  if (!table) return table.error();
  field_reader read;
  auto happened = from_union(table->event, read);
  if (!read.ok) return codec::malformed("an environment event has a field out of range");
  return happened;
}

std::string aggregate::encode_state(const state& now) {
  stored::StateT t;
  t.status = static_cast<stored::Status>(now.status);
  t.account = now.account.value;
  t.name = now.name;
  t.instance_type = now.instance_type;
  t.template_ = now.template_name;
  t.price_list = now.price_list;
  t.price_pico_usd_per_second = now.price_pico_usd_per_second;
  t.created_at_us = to_us(now.created_at);
  t.changed_at_us = to_us(now.changed_at);
  t.deadline_us = to_us(now.deadline);
  t.started_at_us = to_us(now.started_at);
  t.incarnation = now.incarnation;
  t.host = now.host.value;
  t.failed_during = static_cast<stored::Status>(now.failed_during);
  t.cause = now.cause;
  t.next_step = now.next_step;
  t.last_activity_us = to_us(now.last_activity);
  t.losses_in_row = now.losses_in_row;
  for (const auto& [id, asked] : now.pending_execs) {
    t.pending_execs.push_back(std::make_unique<stored::ExecAskedT>(to_table(asked)));
  }
  return codec::pack<stored::State>(t);
}

decoded<state> aggregate::decode_state(std::string_view bytes) {
  return codec::with_verified<stored::State>(
      bytes, [](const stored::State& root) -> decoded<state> {
        stored::StateT t;
        root.UnPackTo(&t);
        field_reader read;
        auto now = from_table(t, read);
        if (!read.ok) return codec::malformed("an environment state has a field out of range");
        return now;
      });
}

}  // namespace berth::environment
