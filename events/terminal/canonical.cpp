// Names and canonical texts.
#include "events/core/codec.hpp"
#include "events/core/match.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::terminal {

std::string_view name_of(status s) {
  switch (s) {
    case status::absent:
      return "ABSENT";
    case status::opening:
      return "OPENING";
    case status::running:
      return "RUNNING";
    case status::ended:
      return "ENDED";
    case status::removed:
      return "REMOVED";
  }
  return "UNKNOWN";
}

namespace {

using codec::canonical_text;

std::string canonical_open(const open& c) {
  canonical_text out{"open"};
  out.text(c.account.value).text(c.environment.value).number(c.cols).number(c.rows);
  out.number(static_cast<std::int64_t>(c.command.size()));
  for (const auto& argument : c.command) out.text(argument);
  out.text(c.working_directory)
      .number(static_cast<int>(c.journal))
      .text(std::to_string(c.journal_tail_bytes));
  return out.take();
}

std::string canonical_ended(const report_ended& c) {
  canonical_text out{"report_ended"};
  out.text(std::to_string(c.final_offset));
  out.text(c.exit_code ? std::to_string(*c.exit_code) : std::string{"none"});
  return out.number(c.signal).text(c.reason).text(c.detail).take();
}

}  // namespace

std::string aggregate::canonical(const command& asked) {
  return std::visit(
      match{
          [](const open& c) { return canonical_open(c); },
          [](const resize& c) {
            return canonical_text{"resize"}
                .text(std::to_string(c.offset))
                .number(c.cols)
                .number(c.rows)
                .take();
          },
          [](const take_drive& c) {
            return canonical_text{"take_drive"}.text(c.session.value).take();
          },
          [](const close&) { return canonical_text{"close"}.take(); },
          [](const remove&) { return canonical_text{"remove"}.take(); },
          [](const report_started& c) {
            return canonical_text{"report_started"}.text(c.incarnation).number(c.pid).take();
          },
          [](const report_ended& c) { return canonical_ended(c); },
          [](const deadline_passed&) { return canonical_text{"deadline_passed"}.take(); },
      },
      asked);
}

static_assert(berth::aggregate<aggregate>);

}  // namespace berth::terminal
