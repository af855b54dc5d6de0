// What an environment's actor does to the world, and what it does when the world fails or the
// server dies.
#include "tests/support/catch.hpp"
#include "tests/support/simulated_server.hpp"

using namespace berth;
using berth::testing::host_call;
using berth::testing::simulated_server;
using environment::status;

namespace {

environment::state state_of(simulated_server& server, const account_id& account,
                            const environment_id& id) {
  environment::state now;
  server.ask().read(id, principal{account, "t", false}, [&now](const auto& got) {
    if (got) now = *got->state;
  });
  server.settle();
  return now;
}

}  // namespace

TEST_CASE("environment: creating one reserves its name, makes it and starts it", "[actors]") {
  simulated_server server{1};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  CHECK(state_of(server, account, id).status == status::running);
  CHECK(server.host.running(id));
  outcome<answer<environment::aggregate>> again = reject(rejection_code::unavailable, "");
  server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"},
                                  server.meta_for(account),
                                  [&again](auto got) { again = std::move(got); });
  server.settle();
  CHECK(again.error() == rejection_code::name_taken);
}

TEST_CASE("environment: a retried creation is the same environment with the same answer",
          "[actors]") {
  simulated_server server{2};
  const auto account = server.make_account("ada");
  const auto meta = server.meta_for(account);
  std::vector<answer<environment::aggregate>> answers;
  for (int i = 0; i < 2; ++i) {
    server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"},
                                    meta, [&answers](const auto& got) { answers.push_back(*got); });
    server.settle();
  }
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].version == answers[1].version);
  CHECK(*answers[0].state == *answers[1].state);
  CHECK_FALSE(answers[0].replayed);
  CHECK(answers[1].replayed);
  CHECK(server.host.calls(host_call::create) == 1);
}

TEST_CASE("environment: one whose actor was overloaded is created when it is not, idle or not",
          "[actors]") {
  kernel_limits limits;
  limits.in_flight_per_actor_max = 1;
  limits.passivate_after = {};
  simulated_server server{17, limits};
  const auto account = server.make_account("ada");
  // The idle actors' sweep, each 10 s, comes before the creation is asked again.
  server.pass(std::chrono::milliseconds{9'800});
  const environment_id id{derived_id("env", account.value, server.fresh_command())};
  server.ask().ask(account,
                   account::request_environment{id, "dev", "lightweight", "host", "2026-11", {}},
                   server.meta_for(account), [](const auto& got) { REQUIRE(got); });
  bool is_asking = false;
  for (int steps = 0; steps < 300; ++steps) {
    if (!std::exchange(is_asking, true))
      server.ask().ask(id, environment::command{environment::stop{}}, server.meta_for(account),
                       [&](const auto&) { is_asking = false; });
    server.step();
  }
  server.settle();
  REQUIRE(state_of(server, account, id).status == status::absent);
  server.pass(std::chrono::seconds{5});
  CHECK(state_of(server, account, id).status == status::running);
}

TEST_CASE("environment: a failed creation shows the cause and the next step, and can be deleted",
          "[actors]") {
  simulated_server server{3};
  const auto account = server.make_account("ada");
  server.host.fail_next(host_call::create,
                        {host_errc::io, "no space left on device", "free some space"});
  const auto id = server.make_environment(account, "dev");
  const auto now = state_of(server, account, id);
  CHECK(now.status == status::error);
  CHECK(now.cause.find("no space left") != std::string::npos);
  CHECK(now.next_step == "free some space");
  REQUIRE(server.call<environment::aggregate>(id, environment::remove{}, server.meta_for(account)));
  CHECK(state_of(server, account, id).status == status::deleted);
  CHECK(state_of(server, account, server.make_environment(account, "dev")).status ==
        status::running);
}

TEST_CASE("environment: a host that never answers ends in ERROR at the deadline", "[actors]") {
  simulated_server server{4};
  const auto account = server.make_account("ada");
  server.host.hang_next(host_call::start);
  const auto id = server.make_environment(account, "dev");
  CHECK(state_of(server, account, id).status == status::starting);
  server.pass(std::chrono::seconds{90});
  CHECK(state_of(server, account, id).status == status::error);
}

TEST_CASE("environment: a request that hangs in the host for ever is made again", "[actors]") {
  simulated_server server{10};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  SECTION("a destroy") {
    server.host.hang_next(host_call::destroy);
    REQUIRE(
        server.call<environment::aggregate>(id, environment::remove{}, server.meta_for(account)));
    server.pass(std::chrono::minutes{2});
    CHECK(state_of(server, account, id).status == status::deleted);
    CHECK_FALSE(server.host.exists(id));
  }
  SECTION("the stop of a start whose answer was lost") {
    const auto ask = [&](auto what) {
      REQUIRE(server.call<environment::aggregate>(id, what, server.meta_for(account)));
    };
    ask(environment::stop{});
    server.host.decide_fates([](host_call call, const environment_id&) {
      return call == host_call::start ? testing::call_fate::answer_lost : testing::call_fate::done;
    });
    server.host.hang_next(host_call::stop);
    ask(environment::start{});
    CHECK(state_of(server, account, id).status == status::error);
    CHECK(server.host.running(id));
    server.pass(std::chrono::minutes{2});
    CHECK_FALSE(server.host.running(id));
  }
  SECTION("a start that begins when it was given up and stopped") {
    const auto ask = [&](auto what) {
      REQUIRE(server.call<environment::aggregate>(id, what, server.meta_for(account)));
    };
    ask(environment::stop{});
    server.host.hang_next(host_call::start);
    ask(environment::start{});
    server.pass(std::chrono::minutes{1});
    ask(environment::stop{});
    server.pass(std::chrono::minutes{1});
    CHECK(state_of(server, account, id).status == status::stopped);
    server.host.release();
    server.settle();
    CHECK_FALSE(server.host.running(id));
  }
}

TEST_CASE("environment: what the host has done is not asked for again while it is being recorded",
          "[actors]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    simulated_server server{seed};
    const auto account = server.make_account("ada");
    const auto id = server.make_environment(account, "dev");
    REQUIRE(server.call<environment::aggregate>(id, environment::stop{}, server.meta_for(account)));
    const auto ask = [&](environment::command what) {
      server.ask().ask(id, std::move(what), server.meta_for(account), [](auto&&) {});
    };
    ask(environment::start{});
    for (int i = 0; i < 12; ++i) {
      ask(environment::record_activity{"keys"});
      server.step();
      server.step();
    }
    server.settle();
    INFO("seed " << seed);
    CHECK(server.host.calls(host_call::start) == 2);
  }
}

TEST_CASE("environment: nothing of it runs when it has failed", "[actors]") {
  SECTION("its start was answered as its deadline passed") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      simulated_server server{seed};
      const auto account = server.make_account("ada");
      server.host.hang_next(host_call::start);
      const auto id = server.make_environment(account, "dev");
      server.clock.advance(std::chrono::seconds{61});
      server.host.release();
      server.running().fire_timers();
      server.pass(std::chrono::seconds{5});
      INFO("seed " << seed);
      const bool is_running = state_of(server, account, id).status == status::running;
      CHECK(is_running == server.host.running(id));
    }
  }
  SECTION("it could not be stopped at first") {
    simulated_server server{12};
    const auto account = server.make_account("ada");
    const auto id = server.make_environment(account, "dev");
    server.host.fail_next(host_call::stop, {host_errc::io, "the disk is slow", "wait"});
    REQUIRE(server.call<environment::aggregate>(id, environment::stop{}, server.meta_for(account)));
    server.pass(std::chrono::seconds{5});
    CHECK(state_of(server, account, id).status == status::error);
    CHECK_FALSE(server.host.running(id));
  }
}

TEST_CASE("environment: a crash between an event and its effect heals by itself", "[actors]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    simulated_server server{seed};
    const auto account = server.make_account("ada");
    const auto meta = server.meta_for(account);
    server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"},
                                    meta, [](auto&&) {});
    for (std::uint64_t i = 0; i < seed; ++i) server.step();
    server.crash(seed % 2 == 1);
    server.boot();
    server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"},
                                    meta, [](auto&&) {});
    server.pass(std::chrono::seconds{5});
    INFO("seed " << seed);
    const environment_id id{derived_id("env", account.value, meta.id)};
    CHECK(state_of(server, account, id).status == status::running);
    CHECK(server.host.running_environments().size() == 1);
  }
}

TEST_CASE("environment: one that was lost is started again and says why", "[actors]") {
  simulated_server server{5};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  const auto before = state_of(server, account, id).incarnation;
  SECTION("its agent died") {
    server.host.lose(id);
  }
  SECTION("the machine rebooted while the server was down") {
    server.crash();
    server.host.reboot();
    server.boot();
  }
  server.pass(std::chrono::seconds{5});
  const auto now = state_of(server, account, id);
  CHECK(now.status == status::running);
  CHECK(now.incarnation != before);
}

TEST_CASE("environment: one that cannot be read when the server comes back is seen to later",
          "[actors]") {
  simulated_server server{11};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  server.crash();
  server.host.reboot();
  server.boot();
  const auto record =
      server.journal.read_stream({aggregate_kind::environment, id.value}, {0}, 1)->front().at();
  server.journal.flip_bit(record.offset, 100, 0);
  server.settle();
  CHECK_FALSE(server.host.running(id));
  server.journal.flip_bit(record.offset, 100, 0);
  server.pass(std::chrono::seconds{20});
  CHECK(server.host.running(id));
}

TEST_CASE("environment: it stays as it is when only the server dies", "[actors]") {
  simulated_server server{6};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  const auto before = state_of(server, account, id);
  server.crash();
  server.boot();
  server.pass(std::chrono::seconds{5});
  CHECK(state_of(server, account, id) == before);
  CHECK(server.host.calls(host_call::start) == 1);
  CHECK(server.running().environments_running() == 1);
}

TEST_CASE("exec: it runs once, and a retry gets the recorded outcome", "[actors]") {
  simulated_server server{7};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  server.host.answer_exec([](const auto&, const exec_request& asked) -> host_result<exec_output> {
    exec_output out;
    out.exit_code = 7;
    out.stdout_bytes = "ran " + asked.command.front();
    return out;
  });
  const auto meta = server.meta_for(account);
  const environment::exec what{{}, {}, {"make"}, {}, {}, {}, 30'000};
  std::vector<exec_answer> answers;
  const auto run = [&] {
    server.ask().exec(id, what, meta, [&answers](const auto& got) {
      REQUIRE(got);
      answers.push_back(*got);
    });
    server.settle();
  };
  run();
  run();
  server.crash();
  server.boot();
  run();
  REQUIRE(answers.size() == 3);
  for (const auto& each : answers) CHECK(each.result == answers.front().result);
  CHECK(answers.front().result.exit_code == 7);
  CHECK(server.host.execs.size() == 1);
}

TEST_CASE("exec: one whose agent was lost ends outcome_unknown and is never repeated", "[actors]") {
  simulated_server server{8};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  server.host.hang_next(host_call::exec);
  const auto meta = server.meta_for(account);
  std::optional<rejection> refused;
  server.ask().exec(id, {{}, {}, {"make"}, {}, {}, {}, 30'000}, meta, [&refused](const auto& got) {
    if (!got) refused = got.error();
  });
  server.settle();
  CHECK_FALSE(refused);
  server.host.lose(id);
  server.pass(std::chrono::seconds{5});
  REQUIRE(refused);
  CHECK(*refused == rejection_code::unknown_outcome);
}

TEST_CASE("exec: what ran in one life is not run again in the next", "[actors]") {
  simulated_server server{13};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  server.ask().exec(id, {{}, {}, {"make"}, {}, {}, {}, 30'000}, server.meta_for(account),
                    [](const auto&) {});
  while (server.host.execs.empty() && server.step()) {}
  REQUIRE(server.host.execs.size() == 1);
  server.crash();  // before the outcome is recorded
  server.host.lose(id);
  server.host.start({id, account, 1, "dev", "host", 500, 1 << 28, 100}, [](const auto&) {});
  server.host.pump();
  REQUIRE(server.host.running(id));
  server.boot();
  server.pass(std::chrono::seconds{5});
  CHECK(state_of(server, account, id).status == status::running);
  CHECK(state_of(server, account, id).pending_execs.empty());
  CHECK(server.host.execs.size() == 1);
}

TEST_CASE("environment: what was created too late, given up and deleted goes after a restart",
          "[actors]") {
  simulated_server server{14};
  const auto account = server.make_account("ada");
  server.host.hang_next(host_call::create);
  const auto meta = server.meta_for(account);
  server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"}, meta,
                                  [](auto&&) {});
  const environment_id id{derived_id("env", account.value, meta.id)};
  server.pass(std::chrono::minutes{3});
  REQUIRE(server.call<environment::aggregate>(id, environment::remove{}, server.meta_for(account)));
  server.pass(std::chrono::minutes{3});
  REQUIRE(state_of(server, account, id).status == status::deleted);
  server.crash();
  server.host.create({id, account, 1, "dev", "host", 500, 1 << 28, 100}, [](const auto&) {});
  server.host.pump();
  REQUIRE(server.host.exists(id));
  server.boot();
  server.pass(std::chrono::seconds{5});
  CHECK_FALSE(server.host.exists(id));
}

TEST_CASE("environment: what a request caused carries its correlation id to the end", "[actors]") {
  simulated_server server{9};
  const auto account = server.make_account("ada");
  auto meta = server.meta_for(account);
  meta.correlation = uuid{{42}};
  server.ask().create_environment(account, {account, "dev", "lightweight", "host", "2026-11"}, meta,
                                  [](auto&&) {});
  server.settle();
  const stream_id stream{aggregate_kind::environment, derived_id("env", account.value, meta.id)};
  const auto commits = server.journal.read_stream(stream, {0}, 100);
  REQUIRE(commits->size() == 3);  // created, provisioned, started
  for (const auto& each : *commits) CHECK(each.body.correlation == meta.correlation);
}
