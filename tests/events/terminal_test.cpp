#include "events/terminal/aggregate.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/given.hpp"

namespace berth::terminal {
namespace {

using namespace std::chrono_literals;
using given = test::scenario<terminal::aggregate>;
using then = given::then;
using code = rejection_code;

const timestamp t0 = test::start_of_time;

open make() {
  return {{"acct_1"}, {"env_1"}, 80, 24, {}, "", journal_mode::full, 0};
}
report_ended exit_report() {
  return {1234, 0, 0, "exited", ""};
}
given opening() {
  return given{}.after(make());
}
given running() {
  return opening().after(report_started{"life-1", 42}, 1s);
}
given over() {
  return running().after(exit_report(), 2s);
}
given gone() {
  return over().after(remove{}, 3s);
}

}  // namespace

TEST_CASE("terminal: open checks its arguments in order, and happens once", "[events]") {
  auto bad = make();
  bad.account = {};
  CHECK(given{}.when(bad).field() == "account");
  bad = make(), bad.environment = {};
  CHECK(given{}.when(bad).field() == "environment");
  bad = make(), bad.cols = 0;
  CHECK(given{}.when(bad).field() == "cols");
  bad = make(), bad.rows = cells_max + 1;
  CHECK(given{}.when(bad).field() == "rows");
  bad = make(), bad.command = {""};
  CHECK(given{}.when(bad).field() == "command");
  bad = make(), bad.working_directory = std::string{"relative"};
  CHECK(given{}.when(bad).field() == "working_directory");
  bad = make(), bad.journal = journal_mode::tail;
  CHECK(given{}.when(bad).field() == "journal_tail_bytes");
  CHECK(given{}.when(make()) ==
        then{opened{{"acct_1"}, {"env_1"}, 80, 24, {}, "", journal_mode::full, 0, t0, t0 + 30s}});
  CHECK(opening().when(make()) == then{});
  bad = make(), bad.environment = {"env_2"};
  CHECK(opening().when(bad) == code::wrong_state);
}

TEST_CASE("terminal: what does not exist or was removed is not found", "[events]") {
  for (const command& asked :
       std::vector<command>{resize{0, 80, 24}, take_drive{{"sess_1"}}, close{}, remove{}}) {
    CAPTURE(aggregate::canonical(asked));
    CHECK(given{}.when(asked) == code::not_found);
    CHECK(gone().when(asked) == code::not_found);
  }
  CHECK(gone().when(make()) == code::not_found);
  CHECK(given{}.when(exit_report()) == code::not_found);
  CHECK(gone().when(exit_report()) == then{});
  CHECK(gone().when(deadline_passed{}) == then{});
}

TEST_CASE("terminal: a resize is recorded where the output was, and only if it changes something",
          "[events]") {
  CHECK(running().when(resize{100, 0, 24}) == code::invalid_argument);
  CHECK(running().when(resize{100, 80, 24}) == then{});
  CHECK(running().when(resize{100, 120, 40}, 2s) == then{resized{100, 120, 40, t0 + 2s}});
  CHECK(over().when(resize{100, 120, 40}) == code::wrong_state);
}

TEST_CASE("terminal: one session drives, and may give the drive back", "[events]") {
  CHECK(running().when(take_drive{{"sess_1"}}, 2s) == then{driver_changed{{"sess_1"}, t0 + 2s}});
  auto driven = running().after(take_drive{{"sess_1"}});
  CHECK(driven.when(take_drive{{"sess_1"}}) == then{});
  CHECK(driven.when(take_drive{{""}}, 2s) == then{driver_changed{{""}, t0 + 2s}});
  CHECK(over().when(take_drive{{"sess_1"}}) == code::wrong_state);
  CHECK_FALSE(driven.after(exit_report()).state.driver);
}

TEST_CASE("terminal: close is asked once, and again when its deadline passes", "[events]") {
  CHECK(opening().when(close{}, 1s) == then{close_asked{t0 + 1s, t0 + 16s}});
  CHECK(running().when(close{}, 2s) == then{close_asked{t0 + 2s, t0 + 17s}});
  auto closing = running().after(close{}, 2s);
  CHECK(closing.when(close{}, 3s) == then{});
  CHECK(closing.when(deadline_passed{}, 16s) == then{});
  CHECK(closing.when(deadline_passed{}, 17s) == then{close_asked{t0 + 17s, t0 + 32s}});
  CHECK(closing.when(deadline_passed{}, 100h) == then{close_asked{t0 + 100h, t0 + 100h + 10min}});
  CHECK(over().when(close{}) == then{});
}

TEST_CASE("terminal: a close asked while it opens survives its start", "[events]") {
  const auto closing = opening().after(close{}, 1s).after(report_started{"life-1", 42}, 2s);
  CHECK(closing.state.status == status::running);
  CHECK(closing.state.close_asked);
  CHECK(aggregate::deadline(closing.state) == t0 + 16s);
}

TEST_CASE("terminal: remove waits for the end", "[events]") {
  CHECK(opening().when(remove{}) == code::wrong_state);
  CHECK(running().when(remove{}) == code::wrong_state);
  CHECK(over().when(remove{}, 3s) == then{removed{t0 + 3s}});
}

TEST_CASE("terminal: reports are taken once, late ones without an event", "[events]") {
  CHECK(opening().when(report_started{"life-1", 42}, 1s) == then{started{"life-1", 42, t0 + 1s}});
  CHECK(running().when(report_started{"life-2", 43}) == then{});
  CHECK(opening().when(exit_report(), 1s) == then{ended{1234, 0, 0, "exited", "", t0 + 1s}});
  CHECK(running().when(exit_report(), 2s) == then{ended{1234, 0, 0, "exited", "", t0 + 2s}});
  CHECK(over().when(report_ended{9, 1, 0, "exited", ""}) == then{});
  CHECK(over().state.end->final_offset == 1234);
}

TEST_CASE("terminal: opening that takes too long ends as failed", "[events]") {
  CHECK(opening().when(deadline_passed{}, 29s) == then{});
  CHECK(opening().when(deadline_passed{}, 30s) ==
        then{ended{0, std::nullopt, 0, "failed", "opening it took longer than 30 s", t0 + 30s}});
  CHECK_FALSE(aggregate::deadline(running().state));
}

}  // namespace berth::terminal
