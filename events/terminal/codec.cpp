// Events and states <-> FlatBuffers (schemas/terminal.fbs).
#include "events/core/codec.hpp"

#include "events/terminal/aggregate.hpp"
#include "schemas/terminal_generated.h"

namespace berth::terminal {
namespace {

namespace stored = ::berth::fb::terminal;
using codec::field_reader;

static_assert(std::variant_size_v<event> == static_cast<std::size_t>(stored::Event::MAX));

stored::OpenedT to_table(const opened& e) {
  stored::OpenedT t;
  t.account = e.account.value;
  t.environment = e.environment.value;
  t.cols = e.cols;
  t.rows = e.rows;
  t.command = e.command;
  t.working_directory = e.working_directory;
  t.journal = static_cast<stored::JournalMode>(e.journal);
  t.journal_tail_bytes = e.journal_tail_bytes;
  t.at_us = to_us(e.at);
  t.deadline_us = to_us(e.deadline);
  return t;
}
opened from_table(const stored::OpenedT& t, field_reader& read) {
  return {{t.account},
          {t.environment},
          t.cols,
          t.rows,
          t.command,
          t.working_directory,
          read.enumeration<journal_mode>(t.journal),
          t.journal_tail_bytes,
          read.time(t.at_us),
          read.time(t.deadline_us)};
}

stored::StartedT to_table(const started& e) {
  stored::StartedT t;
  t.incarnation = e.incarnation;
  t.pid = e.pid;
  t.at_us = to_us(e.at);
  return t;
}
started from_table(const stored::StartedT& t, field_reader& read) {
  return {t.incarnation, t.pid, read.time(t.at_us)};
}

stored::ResizedT to_table(const resized& e) {
  stored::ResizedT t;
  t.offset = e.offset;
  t.cols = e.cols;
  t.rows = e.rows;
  t.at_us = to_us(e.at);
  return t;
}
resized from_table(const stored::ResizedT& t, field_reader& read) {
  return {t.offset, t.cols, t.rows, read.time(t.at_us)};
}

stored::DriverChangedT to_table(const driver_changed& e) {
  stored::DriverChangedT t;
  t.session = e.session.value;
  t.at_us = to_us(e.at);
  return t;
}
driver_changed from_table(const stored::DriverChangedT& t, field_reader& read) {
  return {{t.session}, read.time(t.at_us)};
}

stored::CloseAskedT to_table(const close_asked& e) {
  stored::CloseAskedT t;
  t.at_us = to_us(e.at);
  t.deadline_us = to_us(e.deadline);
  return t;
}
close_asked from_table(const stored::CloseAskedT& t, field_reader& read) {
  return {read.time(t.at_us), read.time(t.deadline_us)};
}

stored::EndedT to_table(const ended& e) {
  stored::EndedT t;
  t.final_offset = e.final_offset;
  t.has_exit_code = e.exit_code.has_value();
  t.exit_code = e.exit_code.value_or(0);
  t.signal = e.signal;
  t.reason = e.reason;
  t.detail = e.detail;
  t.at_us = to_us(e.at);
  return t;
}
ended from_table(const stored::EndedT& t, field_reader& read) {
  std::optional<std::int32_t> exit_code;
  if (t.has_exit_code) exit_code = t.exit_code;
  return {t.final_offset, exit_code, t.signal, t.reason, t.detail, read.time(t.at_us)};
}

stored::RemovedT to_table(const removed& e) {
  stored::RemovedT t;
  t.at_us = to_us(e.at);
  return t;
}
removed from_table(const stored::RemovedT& t, field_reader& read) {
  return {read.time(t.at_us)};
}

event from_union(const stored::EventUnion& u, field_reader& read) {
  switch (u.type) {
    case stored::Event::NONE:
      break;
    case stored::Event::Opened:
      return from_table(*u.AsOpened(), read);
    case stored::Event::Started:
      return from_table(*u.AsStarted(), read);
    case stored::Event::Resized:
      return from_table(*u.AsResized(), read);
    case stored::Event::DriverChanged:
      return from_table(*u.AsDriverChanged(), read);
    case stored::Event::CloseAsked:
      return from_table(*u.AsCloseAsked(), read);
    case stored::Event::Ended:
      return from_table(*u.AsEnded(), read);
    case stored::Event::Removed:
      return from_table(*u.AsRemoved(), read);
  }
  read.ok = false;
  return event{};
}

state from_table(const stored::StateT& t, field_reader& read) {
  state now;
  now.status = read.enumeration<status>(t.status);
  now.account.value = t.account;
  now.environment.value = t.environment;
  now.cols = t.cols;
  now.rows = t.rows;
  now.command = t.command;
  now.working_directory = t.working_directory;
  now.journal = read.enumeration<journal_mode>(t.journal);
  now.journal_tail_bytes = t.journal_tail_bytes;
  now.opened_at = read.time(t.opened_at_us);
  now.changed_at = read.time(t.changed_at_us);
  now.deadline = read.time(t.deadline_us);
  now.incarnation = t.incarnation;
  now.pid = t.pid;
  now.driver.value = t.driver;
  now.close_asked = t.close_asked;
  if (t.ended) now.end = from_table(*t.ended, read);
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
  if (!read.ok) return codec::malformed("a terminal event has a field out of range");
  return happened;
}

std::string aggregate::encode_state(const state& now) {
  stored::StateT t;
  t.status = static_cast<stored::Status>(now.status);
  t.account = now.account.value;
  t.environment = now.environment.value;
  t.cols = now.cols;
  t.rows = now.rows;
  t.command = now.command;
  t.working_directory = now.working_directory;
  t.journal = static_cast<stored::JournalMode>(now.journal);
  t.journal_tail_bytes = now.journal_tail_bytes;
  t.opened_at_us = to_us(now.opened_at);
  t.changed_at_us = to_us(now.changed_at);
  t.deadline_us = to_us(now.deadline);
  t.incarnation = now.incarnation;
  t.pid = now.pid;
  t.driver = now.driver.value;
  t.close_asked = now.close_asked;
  if (now.end) t.ended = std::make_unique<stored::EndedT>(to_table(*now.end));
  return codec::pack<stored::State>(t);
}

decoded<state> aggregate::decode_state(std::string_view bytes) {
  return codec::with_verified<stored::State>(
      bytes, [](const stored::State& root) -> decoded<state> {
        stored::StateT t;
        root.UnPackTo(&t);
        field_reader read;
        auto now = from_table(t, read);
        if (!read.ok) return codec::malformed("a terminal state has a field out of range");
        return now;
      });
}

}  // namespace berth::terminal
