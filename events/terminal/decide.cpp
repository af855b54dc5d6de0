// What a terminal accepts. Its bytes are not here: they are in the bulk log, addressed by offset.
#include <algorithm>

#include "events/core/arguments.hpp"
#include "events/core/invariant.hpp"
#include "events/core/match.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::terminal {
namespace {

using events = std::vector<event>;
using answer = decision<event>;

constexpr std::size_t command_bytes_max = 128 * 1024;
constexpr auto closing_backoff_max = std::chrono::minutes{10};

bool is_live(const state& now) {
  return now.status == status::opening || now.status == status::running;
}
bool exists(const state& now) {
  return is_live(now) || now.status == status::ended;
}

rejection not_found() {
  return reject(rejection_code::not_found,
                "the terminal does not exist; list the environment's to see what does");
}

rejection wrong_state(const state& now, std::string_view asked, std::string_view next_step) {
  return reject(rejection_code::wrong_state,
                "cannot " + std::string{asked} + " a terminal that is " +
                    std::string{name_of(now.status)} + "; " + std::string{next_step});
}

std::optional<rejection> refuse_size(std::uint16_t cols, std::uint16_t rows) {
  if (cols == 0 || cols > cells_max)
    return invalid("cols", "must be 1 to " + std::to_string(cells_max));
  if (rows == 0 || rows > cells_max)
    return invalid("rows", "must be 1 to " + std::to_string(cells_max));
  return std::nullopt;
}

std::optional<rejection> refuse_open(const open& c) {
  if (auto no = refuse_id("account", c.account.value)) return no;
  if (auto no = refuse_id("environment", c.environment.value)) return no;
  if (auto no = refuse_size(c.cols, c.rows)) return no;
  if (!c.command.empty()) {
    if (auto no = refuse_command("command", c.command, command_bytes_max)) return no;
  }
  if (auto no = refuse_path("working_directory", c.working_directory)) return no;
  if (c.journal > journal_mode::none) return invalid("journal", "must be full, tail or none");
  if (c.journal == journal_mode::tail && c.journal_tail_bytes == 0) {
    return invalid("journal_tail_bytes", "must be more than 0 when journal is tail");
  }
  return std::nullopt;
}

answer decide_open(const state& now, const open& c, timestamp at) {
  if (now.status == status::removed) return not_found();
  if (exists(now)) {
    const bool same = now.account == c.account && now.environment == c.environment &&
                      now.command == c.command && now.working_directory == c.working_directory &&
                      now.journal == c.journal;
    if (same) return events{};
    return reject(rejection_code::wrong_state, "the terminal exists already with other properties");
  }
  if (auto no = refuse_open(c)) return *no;
  return events{opened{c.account, c.environment, c.cols, c.rows, c.command, c.working_directory,
                       c.journal, c.journal_tail_bytes, at, at + opening_max}};
}

answer decide_resize(const state& now, const resize& c, timestamp at) {
  if (!exists(now)) return not_found();
  if (auto no = refuse_size(c.cols, c.rows)) return *no;
  if (!is_live(now)) return wrong_state(now, "resize", "open a new one");
  if (now.cols == c.cols && now.rows == c.rows) return events{};
  return events{resized{c.offset, c.cols, c.rows, at}};
}

// An empty session gives the drive back: nobody drives.
answer decide_take_drive(const state& now, const take_drive& c, timestamp at) {
  if (!exists(now)) return not_found();
  if (auto no = refuse_short_text("session", c.session.value)) return *no;
  if (now.driver == c.session) return events{};
  if (!is_live(now)) return wrong_state(now, "drive", "open a new one");
  return events{driver_changed{c.session, at}};
}

answer decide_close(const state& now, timestamp at) {
  if (!exists(now)) return not_found();
  if (!is_live(now) || now.close_asked) return events{};
  return events{close_asked{at, at + closing_max}};
}

answer decide_remove(const state& now, timestamp at) {
  if (!exists(now)) return not_found();
  if (is_live(now)) return wrong_state(now, "remove", "close it first");
  return events{removed{at}};
}

// Reports are about the world: one that does not fit the present state is late, and is taken
// without an event.
answer decide_ended(const state& now, const report_ended& c, timestamp at) {
  if (!is_live(now)) return events{};
  return events{ended{c.final_offset, c.exit_code, c.signal,
                      clipped(c.reason, short_text_bytes_max),
                      clipped(c.detail, long_text_bytes_max), at}};
}

answer decide_deadline(const state& now, timestamp at) {
  if (!is_live(now) || now.deadline == timestamp{} || now.deadline > at) return events{};
  if (now.close_asked) {
    // Only the agent knows the final offset, so closing is asked again, later each time, rather
    // than guessed.
    const auto waited = std::chrono::duration_cast<microseconds>(at - now.changed_at);
    return events{
        close_asked{at, at + std::clamp<microseconds>(waited, closing_max, closing_backoff_max)}};
  }
  BERTH_ASSERT(now.status == status::opening);
  return events{ended{0, std::nullopt, 0, "failed",
                      "opening it took longer than " + std::to_string(opening_max.count()) + " s",
                      at}};
}

}  // namespace

decision<event> aggregate::decide(const state& now, const command& asked,
                                  const decide_context& context) {
  const auto at = context.now;
  if (now.status == status::absent && !std::holds_alternative<open>(asked)) return not_found();
  return std::visit(match{
                        [&](const open& c) { return decide_open(now, c, at); },
                        [&](const resize& c) { return decide_resize(now, c, at); },
                        [&](const take_drive& c) { return decide_take_drive(now, c, at); },
                        [&](const close&) { return decide_close(now, at); },
                        [&](const remove&) { return decide_remove(now, at); },
                        [&](const report_started& c) -> answer {
                          if (now.status != status::opening) return events{};
                          return events{started{c.incarnation, c.pid, at}};
                        },
                        [&](const report_ended& c) { return decide_ended(now, c, at); },
                        [&](const deadline_passed&) { return decide_deadline(now, at); },
                    },
                    asked);
}

std::optional<timestamp> aggregate::deadline(const state& now) {
  if (!is_live(now) || now.deadline == timestamp{}) return std::nullopt;
  return now.deadline;
}

command aggregate::on_deadline(const state& now) {
  BERTH_ASSERT(deadline(now).has_value());
  return deadline_passed{};
}

}  // namespace berth::terminal
