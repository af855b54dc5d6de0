#include "events/core/instance_type.hpp"
#include "events/environment/aggregate.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/given.hpp"

namespace berth::environment {
namespace {

using namespace std::chrono_literals;
using given = test::scenario<environment::aggregate>;
using then = given::then;
using code = rejection_code;

const timestamp t0 = test::start_of_time;

create make() {
  return {{"acct_1"}, "web", "lightweight", "host", std::string{current_price_list}};
}
exec run(std::string id = "exec_1") {
  return {{std::move(id)}, {}, {"true"}, {}, "", "", 1000};
}

given creating() {
  return given{}.after(make());
}
given starting() {
  return creating().after(report_provisioned{}, 1s);
}
given running() {
  return starting().after(report_started{"life-1", {"host_1"}}, 2s);
}
given stopping() {
  return running().after(stop{}, 3s);
}
given stopped_one() {
  return stopping().after(report_stopped{}, 4s);
}
given in_error() {
  return starting().after(report_failed{status::starting, "no disk", "free some"}, 2s);
}
given deleting() {
  return running().after(remove{}, 3s);
}
given deleted_one() {
  return deleting().after(report_deleted{}, 4s);
}

}  // namespace

TEST_CASE("environment: create checks its arguments in order and takes the price from the list",
          "[events]") {
  auto bad = make();
  bad.account = {};
  bad.name = "UPPER";
  CHECK(given{}.when(bad) == code::invalid_argument);
  CHECK(given{}.when(bad).field() == "account");
  bad.account = {"acct_1"};
  CHECK(given{}.when(bad).field() == "name");
  bad.name = "web";
  bad.instance_type = "huge";
  CHECK(given{}.when(bad).field() == "instance_type");
  bad.instance_type = "memory";
  bad.template_name = "";
  CHECK(given{}.when(bad).field() == "template");
  bad.template_name = "host";
  bad.price_list = "1999-01";
  CHECK(given{}.when(bad).field() == "price_list");
  CHECK(given{}.when(make()) == then{created{{"acct_1"},
                                             "web",
                                             "lightweight",
                                             "host",
                                             std::string{current_price_list},
                                             23'000'000,
                                             t0,
                                             t0 + 60s}});
}

TEST_CASE("environment: a repeated create is not news, another one is refused", "[events]") {
  CHECK(running().when(make()) == then{});
  auto other = make();
  other.name = "db";
  CHECK(running().when(other) == code::wrong_state);
}

TEST_CASE("environment: what does not exist is not found", "[events]") {
  for (const command& asked :
       std::vector<command>{start{}, stop{}, remove{}, record_activity{"key"}, run(),
                            report_provisioned{}, report_deleted{}, deadline_passed{}}) {
    CAPTURE(aggregate::canonical(asked));
    CHECK(given{}.when(asked) == code::not_found);
  }
}

TEST_CASE("environment: DELETED is not found, but takes late reports without an event",
          "[events]") {
  for (const command& asked :
       std::vector<command>{make(), start{}, stop{}, remove{}, record_activity{"key"}, run()}) {
    CAPTURE(aggregate::canonical(asked));
    CHECK(deleted_one().when(asked) == code::not_found);
  }
  for (const command& late : std::vector<command>{
           report_provisioned{}, report_started{"life-1", {}}, report_stopped{}, report_deleted{},
           report_failed{status::deleting, "", ""}, report_lost{"life-1", "", t0},
           report_exec{{"exec_1"}, 0, "", "", false, false, 0}, report_exec_unknown{{"exec_1"}, ""},
           deadline_passed{}}) {
    CAPTURE(aggregate::canonical(late));
    CHECK(deleted_one().when(late, 100s) == then{});
  }
}

TEST_CASE("environment: the way from create to RUNNING, with a deadline at each transient state",
          "[events]") {
  CHECK(creating().state.status == status::creating);
  CHECK(aggregate::deadline(creating().state) == t0 + 60s);
  CHECK(creating().when(report_provisioned{}, 1s) == then{provisioned{t0 + 1s, t0 + 61s}});
  CHECK(starting().when(report_started{"life-1", {"host_1"}}, 2s) ==
        then{started{"life-1", {"host_1"}, t0 + 2s}});
  CHECK(running().state.incarnation == "life-1");
  CHECK_FALSE(aggregate::deadline(running().state));
}

TEST_CASE("environment: start is recorded once and only where there is something to start",
          "[events]") {
  CHECK(creating().when(start{}) == then{});
  CHECK(starting().when(start{}) == then{});
  CHECK(running().when(start{}) == then{});
  CHECK(stopping().when(start{}) == code::wrong_state);
  CHECK(deleting().when(start{}) == code::wrong_state);
  CHECK(stopped_one().when(start{}, 9s) == then{start_asked{t0 + 9s, t0 + 69s}});
  CHECK(in_error().when(start{}, 9s) == then{start_asked{t0 + 9s, t0 + 69s}});
}

TEST_CASE("environment: stop is recorded once, from STARTING, RUNNING and ERROR", "[events]") {
  const stop idle{stop_reason::idle};
  CHECK(creating().when(idle) == code::wrong_state);
  CHECK(starting().when(idle, 9s) == then{stop_asked{stop_reason::idle, t0 + 9s, t0 + 39s}});
  CHECK(running().when(idle, 9s) == then{stop_asked{stop_reason::idle, t0 + 9s, t0 + 39s}});
  CHECK(in_error().when(idle, 9s) == then{stop_asked{stop_reason::idle, t0 + 9s, t0 + 39s}});
  CHECK(stopping().when(idle) == then{});
  CHECK(stopped_one().when(idle) == then{});
  CHECK(deleting().when(idle) == code::wrong_state);
}

TEST_CASE("environment: delete is legal in every state and recorded once", "[events]") {
  for (const auto& from :
       {creating(), starting(), running(), stopping(), stopped_one(), in_error()}) {
    CAPTURE(name_of(from.state.status));
    CHECK(from.when(remove{}, 9s) == then{delete_asked{t0 + 9s, t0 + 69s}});
  }
  CHECK(deleting().when(remove{}, 9s) == then{});
  CHECK(deleting().when(report_deleted{}, 9s) == then{deleted{t0 + 9s}});
}

TEST_CASE("environment: reports change only the state they are about", "[events]") {
  CHECK(running().when(report_provisioned{}) == then{});
  CHECK(stopping().when(report_started{"life-2", {}}) == then{});
  CHECK(running().when(report_started{"life-2", {}}) == then{});
  CHECK(running().when(report_stopped{}) == then{});
  CHECK(running().when(report_deleted{}) == then{});
  CHECK(stopping().when(report_failed{status::starting, "late", ""}) == then{});
  CHECK(in_error().when(report_failed{status::starting, "late", ""}) == then{});
  CHECK(stopping().when(report_failed{status::stopping, "stuck", "wait"}, 5s) ==
        then{failed{status::stopping, "stuck", "wait", t0 + 5s}});
}

TEST_CASE("environment: a deadline that passes ends in ERROR with its cause", "[events]") {
  CHECK(creating().when(deadline_passed{}, 59s) == then{});
  CHECK(creating().when(deadline_passed{}, 60s) ==
        then{failed{status::creating, "creating it took longer than 60 s",
                    "start it to try again, or delete it", t0 + 60s}});
  CHECK(starting().after(deadline_passed{}, 61s).state.failed_during == status::starting);
  const auto late = stopping().after(deadline_passed{}, 33s).state;
  CHECK(late.status == status::error);
  CHECK(late.cause == "stopping it took longer than 30 s");
}

TEST_CASE("environment: deleting is tried again at growing intervals, an hour at most",
          "[events]") {
  CHECK(deleting().when(deadline_passed{}, 63s) == then{delete_asked{t0 + 63s, t0 + 123s}});
  auto stuck = deleting().after(deadline_passed{}, 63s);
  CHECK(stuck.when(deadline_passed{}, 122s) == then{});
  CHECK(stuck.when(deadline_passed{}, 123s) == then{delete_asked{t0 + 123s, t0 + 243s}});
  CHECK(stuck.when(deadline_passed{}, 100h) == then{delete_asked{t0 + 100h, t0 + 101h}});
}

TEST_CASE("environment: a failure while DELETING is noted once and leaves it DELETING",
          "[events]") {
  const report_failed busy{status::deleting, "busy", "wait"};
  CHECK(deleting().when(busy, 5s) == then{failed{status::deleting, "busy", "wait", t0 + 5s}});
  const auto noted = deleting().after(busy, 5s);
  CHECK(noted.state.status == status::deleting);
  CHECK(aggregate::deadline(noted.state) == t0 + 63s);
  CHECK(noted.when(busy, 6s) == then{});
}

TEST_CASE("environment: a loss ends the life that was lost, and only that one", "[events]") {
  const auto loss = [](timestamp until) { return report_lost{"life-1", "agent died", until}; };
  CHECK(running().when(report_lost{"life-0", "agent died", t0}, 9s) == then{});
  CHECK(starting().when(loss(t0), 9s) == then{});
  CHECK(running().when(loss(t0 + 5s), 9s) == then{lost{"agent died", t0 + 5s, t0 + 9s, t0 + 69s}});
  // It was alive at its start and cannot have been later than now.
  CHECK(running().when(loss(t0), 9s) == then{lost{"agent died", t0 + 2s, t0 + 9s, t0 + 69s}});
  CHECK(running().when(loss(t0 + 50s), 9s) == then{lost{"agent died", t0 + 9s, t0 + 9s, t0 + 69s}});
  CHECK(running().after(loss(t0 + 5s), 9s).state.status == status::starting);
}

TEST_CASE("environment: one that is lost again and again soon after its start ends in ERROR",
          "[events]") {
  auto one = running();
  for (std::uint32_t i = 1; i < losses_in_row_max; ++i) {
    one.after(report_lost{"life-1", "crash", t0}, i * 10s)
        .after(report_started{"life-1", {}}, i * 10s + 1s);
    REQUIRE(one.state.status == status::running);
  }
  auto steady = one;
  one.after(report_lost{"life-1", "crash", t0}, 200s - 101s);
  CHECK(one.state.status == status::error);
  CHECK(one.state.cause.find("10 times") != std::string::npos);
  CHECK(one.after(start{}, 300s).state.losses_in_row == 0);
  // A life of a minute forgives.
  steady.after(report_lost{"life-1", "crash", t0}, 300s);
  CHECK(steady.state.status == status::starting);
  CHECK(steady.state.losses_in_row == 0);
}

TEST_CASE("environment: exec checks existence, arguments, state and bound, in this order",
          "[events]") {
  auto bad = run();
  bad.command = {};
  CHECK(given{}.when(bad) == code::not_found);
  CHECK(stopped_one().when(bad) == code::invalid_argument);
  CHECK(running().when(bad).field() == "command");
  bad.command = {"true", std::string("a\0b", 3)};
  CHECK(running().when(bad).field() == "command");
  bad.command = {"true", std::string(exec_command_bytes_max, 'x')};
  CHECK(running().when(bad).field() == "command");
  bad = run();
  bad.env = {{"A=B", "1"}};
  CHECK(running().when(bad).field() == "env");
  bad.env = {{"A", std::string(exec_command_bytes_max, 'x')}};
  CHECK(running().when(bad).field() == "env");
  bad = run();
  bad.stdin_bytes.resize(exec_stdin_bytes_max + 1);
  CHECK(running().when(bad).field() == "stdin");
  bad = run();
  bad.working_directory = "relative";
  CHECK(running().when(bad).field() == "working_directory");
  for (const auto timeout : {0u, exec_timeout_ms_max + 1}) {
    bad = run();
    bad.timeout_ms = timeout;
    CHECK(running().when(bad).field() == "timeout_ms");
  }
  for (const auto& from :
       {creating(), starting(), stopping(), stopped_one(), in_error(), deleting()}) {
    CAPTURE(name_of(from.state.status));
    CHECK(from.when(run()) == code::wrong_state);
  }
  auto busy = running();
  for (std::size_t i = 0; i < execs_pending_max; ++i)
    busy.after(run("exec_" + std::to_string(i)), 3s);
  CHECK(busy.when(run("one_more")) == code::limit_exceeded);
  CHECK(busy.when(run("exec_0")) == then{});
}

TEST_CASE("environment: exec is asked, finished once, and its output is bounded", "[events]") {
  CHECK(running().when(run(), 3s) == then{exec_asked{run(), t0 + 3s, t0 + 19s}});
  const auto pending = running().after(run(), 3s);
  CHECK(aggregate::deadline(pending.state) == t0 + 19s);
  const report_exec done{{"exec_1"}, 7, "out", "err", false, false, 12};
  CHECK(pending.when(done, 4s) ==
        then{exec_finished{{"exec_1"}, 7, "out", "err", false, false, 12, t0 + 4s}});
  auto finished = pending;
  CHECK(finished.after(done, 4s).when(done, 5s) == then{});
  const report_exec long_one{{"exec_1"}, 0, std::string(300 * 1024, 'x'), "", false, false, 1};
  const auto cut = pending.when(long_one, 4s);
  REQUIRE(cut.decided.has_value());
  const auto& kept = std::get<exec_finished>(cut.decided->front());
  CHECK(kept.stdout_bytes.size() == 256 * 1024);
  CHECK(kept.truncated);
}

TEST_CASE("environment: execs whose environment goes away end outcome_unknown, all in one commit",
          "[events]") {
  const auto pending = running().after(run("exec_1"), 3s).after(run("exec_2"), 3s);
  const auto ends = [&](const command& asked, std::string why) {
    const auto led = pending.when(asked, 5s);
    REQUIRE(led.decided.has_value());
    REQUIRE(led.decided->size() == 3);
    CHECK(led.decided->at(0) == event{exec_outcome_unknown{{"exec_1"}, why, t0 + 5s}});
    CHECK(led.decided->at(1) == event{exec_outcome_unknown{{"exec_2"}, why, t0 + 5s}});
  };
  ends(stop{}, "the environment was stopped");
  ends(remove{}, "the environment was deleted");
  ends(report_lost{"life-1", "agent died", t0}, "the environment was lost: agent died");
  CHECK(pending.when(deadline_passed{}, 18s) == then{});
  CHECK(pending.when(deadline_passed{}, 19s).decided->size() == 2);
}

TEST_CASE("environment: activity is recorded of what exists and is not being deleted", "[events]") {
  CHECK(stopped_one().when(record_activity{"http"}, 9s) ==
        then{activity_recorded{"http", t0 + 9s}});
  CHECK(running().when(record_activity{""}) == code::invalid_argument);
  CHECK(deleting().when(record_activity{"http"}) == code::wrong_state);
}

}  // namespace berth::environment
