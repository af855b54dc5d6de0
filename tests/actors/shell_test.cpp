// The shell's promises, one at a time: durability before answers, one effect a command, bounds,
// recovery.
#include <future>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/simulated_server.hpp"

using namespace berth;
using berth::testing::host_call;
using berth::testing::simulated_server;
using environment::status;

namespace {

constexpr account::secret_hash some_hash{1};

template <class A>
struct kept {
  std::shared_ptr<std::optional<outcome<answer<A>>>> value =
      std::make_shared<std::optional<outcome<answer<A>>>>();
  answer_completion<A> taker() const {
    return [v = value](outcome<answer<A>> got) { *v = std::move(got); };
  }
  bool has() const { return value->has_value(); }
  outcome<answer<A>>& get() const { return **value; }
};

// Runs actors only: the disk does not move.
void run_actors(simulated_server& server) {
  while (server.running().run_job([](std::size_t) { return std::size_t{0}; })) {}
}

std::size_t commits_of(simulated_server& server, const stream_id& stream) {
  return server.journal.read_stream(stream, {0}, 1000)->size();
}

}  // namespace

TEST_CASE("shell: an answer comes only when the commit is durable", "[actors]") {
  simulated_server server{1};
  server.settle();
  const account_id id{derived_id("acct", "ada", uuid{})};
  kept<account::aggregate> got, read;
  server.ask().ask(id, account::create{"ada", account::role::member}, server.meta_for(id),
                   got.taker());
  run_actors(server);
  CHECK_FALSE(got.has());
  server.ask().read(id, server.meta_for(id).by, read.taker());
  run_actors(server);
  REQUIRE(read.has());
  CHECK(read.get().error() == rejection_code::not_found);  // tentative state is nobody's business
  server.journal.flush();
  run_actors(server);
  REQUIRE(got.has());
  CHECK(got.get()->version == stream_version{1});
  CHECK(got.get()->state->name == "ada");
}

TEST_CASE("shell: state is read anew under another leadership, and not at all under none",
          "[actors]") {
  simulated_server server{3};
  const auto id = server.make_account("ada");
  const auto read = [&] {
    kept<account::aggregate> got;
    server.ask().read(id, server.meta_for(id).by, got.taker());
    run_actors(server);
    REQUIRE(got.has());
    return got.get();
  };
  const auto known = *read();
  // Another node led meanwhile.
  server.journal.set_leadership(0);
  CHECK(read().error() == rejection_code::unavailable);
  commit_body body;
  body.stream = {aggregate_kind::account, id.value};
  body.first = {known.version.value + 1};
  body.command = server.fresh_command();
  body.by = system_principal(id);
  const account::issue_token what{{"tok_other"}, "t", some_hash, {}};
  for (const auto& event : *account::aggregate::decide(*known.state, what, {server.clock.now()}))
    body.events.push_back(account::aggregate::encode(event));
  REQUIRE_FALSE(server.journal.append(body, 1, nullptr));
  server.journal.flush();
  CHECK(read().error() == rejection_code::unavailable);
  server.journal.set_leadership(2);
  CHECK(read()->version.value == known.version.value + 1);
  const auto next = server.call<account::aggregate>(
      id, account::issue_token{{"tok_next"}, "t", some_hash, {}}, server.meta_for(id));
  REQUIRE(next);
  CHECK(next->version.value == known.version.value + 2);
}

TEST_CASE("shell: later commands decide on tentative state and are answered in order", "[actors]") {
  simulated_server server{2};
  const auto id = server.make_account("ada");
  std::vector<std::uint64_t> order;
  for (int i = 0; i < 50; ++i)
    server.ask().ask(id, account::issue_token{{"tok_" + std::to_string(i)}, "t", some_hash, {}},
                     server.meta_for(id),
                     [&order](const auto& got) { order.push_back(got->version.value); });
  run_actors(server);
  CHECK(order.empty());
  CHECK(server.journal.queued() == 50);
  server.settle();
  REQUIRE(order.size() == 50);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("shell: a retried command has one effect and the same answer", "[actors]") {
  simulated_server server{3};
  const auto id = server.make_account("ada");
  const auto meta = server.meta_for(id);
  const account::issue_token issue{{"tok_a"}, "laptop", some_hash, {}};
  SECTION("while the first is on its way") {
    kept<account::aggregate> first, second;
    server.ask().ask(id, issue, meta, first.taker());
    server.ask().ask(id, issue, meta, second.taker());
    server.settle();
    CHECK(first.get()->version == second.get()->version);
    CHECK_FALSE(first.get()->replayed);
    CHECK(second.get()->replayed);
  }
  SECTION("later, when the stream has gone on, and after a crash") {
    const auto first = server.call<account::aggregate>(id, issue, meta);
    (void)server.call<account::aggregate>(
        id, account::issue_token{{"tok_b"}, "desk", some_hash, {}}, server.meta_for(id));
    server.crash();
    server.boot();
    const auto again = server.call<account::aggregate>(id, issue, meta);
    REQUIRE(again);
    CHECK(again->replayed);
    CHECK(again->version == first->version);
    CHECK(*again->state == *first->state);
  }
  CHECK(server.journal.read_stream({aggregate_kind::account, id.value}, {1}, 100)
            ->front()
            .body.events.size() == 1);
}

TEST_CASE("shell: the same command id with other content is a conflict", "[actors]") {
  simulated_server server{4};
  const auto id = server.make_account("ada");
  const auto meta = server.meta_for(id);
  REQUIRE(server.call<account::aggregate>(
      id, account::issue_token{{"tok_a"}, "laptop", some_hash, {}}, meta));
  CHECK(server
            .call<account::aggregate>(id, account::issue_token{{"tok_a"}, "other", some_hash, {}},
                                      meta)
            .error() == rejection_code::idempotency_conflict);
  const auto environment = server.make_environment(id, "dev");
  CHECK(server.call<environment::aggregate>(environment, environment::start{}, meta).error() ==
        rejection_code::idempotency_conflict);
}

TEST_CASE("shell: an id older than the window is refused, never executed", "[actors]") {
  simulated_server server{5};
  const auto id = server.make_account("ada");
  auto meta = server.meta_for(id);
  meta.id = uuid::v7(to_us(server.clock.now()) / 1000 - 25 * 3'600'000, {});
  CHECK(server.call<account::aggregate>(id, account::disable{"x"}, meta).error() ==
        rejection_code::command_too_old);
}

TEST_CASE("shell: an accepted command that changes nothing still writes its commit", "[actors]") {
  simulated_server server{6};
  const auto account = server.make_account("ada");
  const auto id = server.make_environment(account, "dev");
  const stream_id stream{aggregate_kind::environment, id.value};
  const auto before = server.journal.head().offset;
  const auto meta = server.meta_for(account);
  const auto started = server.call<environment::aggregate>(id, environment::start{}, meta);
  REQUIRE(started);
  CHECK(server.journal.head().offset == before + 1);
  CHECK(server.journal.find_command(account, meta.id)->last == started->version);
  CHECK(commits_of(server, stream) >= 3);
}

TEST_CASE("shell: another tenant's stream is not found, whatever is asked", "[actors]") {
  simulated_server server{7};
  const auto ada = server.make_account("ada");
  const auto eve = server.make_account("eve");
  const auto id = server.make_environment(ada, "dev");
  for (const auto& what : std::vector<environment::command>{
           environment::start{}, environment::stop{}, environment::remove{}, environment::exec{}})
    CHECK(server.call<environment::aggregate>(id, what, server.meta_for(eve)).error() ==
          rejection_code::not_found);
  kept<environment::aggregate> read;
  server.ask().read(id, server.meta_for(eve).by, read.taker());
  server.settle();
  CHECK(read.get().error() == rejection_code::not_found);
}

TEST_CASE("shell: If-Match refuses a command that was made for another version", "[actors]") {
  simulated_server server{8};
  const auto id = server.make_account("ada");
  auto meta = server.meta_for(id);
  meta.if_match = stream_version{7};
  CHECK(server.call<account::aggregate>(id, account::disable{"x"}, meta).error() ==
        rejection_code::precondition_failed);
}

TEST_CASE("shell: what does not exist is not found, whoever asks and whatever If-Match says",
          "[actors]") {
  simulated_server server{8};
  auto meta = server.meta_for(server.make_account("ada"));
  meta.if_match = stream_version{7};
  for (const bool system : {false, true}) {
    if (system) meta.by = system_principal(meta.by.account);
    CHECK(server.call<account::aggregate>(account_id{"acct_missing"}, account::disable{"x"}, meta)
              .error() == rejection_code::not_found);
  }
}

TEST_CASE("shell: a full actor refuses at once", "[actors]") {
  kernel_limits limits;
  limits.in_flight_per_actor_max = 10;
  simulated_server server{9, limits};
  const auto id = server.make_account("ada");
  int overloaded = 0, accepted = 0;
  for (int i = 0; i < 15; ++i)
    server.ask().ask(id, account::issue_token{{"tok_" + std::to_string(i)}, "t", some_hash, {}},
                     server.meta_for(id), [&](const auto& got) {
                       if (got)
                         ++accepted;
                       else if (got.error() == rejection_code::overloaded)
                         ++overloaded;
                     });
  CHECK(overloaded == 5);  // before anything ran
  server.settle();
  CHECK(accepted == 10);
  CHECK(server.call<account::aggregate>(id, account::issue_token{{"tok_x"}, "t", some_hash, {}},
                                        server.meta_for(id)));
}

TEST_CASE("shell: a failed sync answers unknown_outcome and forgets tentative state", "[actors]") {
  simulated_server server{10};
  const auto id = server.make_account("ada");
  kept<account::aggregate> got;
  server.journal.fail_sync();
  server.ask().ask(id, account::disable{"x"}, server.meta_for(id), got.taker());
  run_actors(server);
  server.journal.flush();
  run_actors(server);
  REQUIRE(got.has());
  CHECK(got.get().error() == rejection_code::unknown_outcome);
  server.crash();
  server.boot();
  kept<account::aggregate> read;
  server.ask().read(id, server.meta_for(id).by, read.taker());
  server.settle();
  CHECK_FALSE(read.get()->state->disabled);
}

TEST_CASE("kernel: after a start streams are looked at a few at a time", "[actors]") {
  simulated_server server{18};
  constexpr std::size_t accounts = 100;
  for (std::size_t i = 0; i < accounts; ++i) server.make_account("user" + std::to_string(i));
  server.crash();
  server.boot();
  server.settle();
  CHECK(server.ask().stats().actors_resident < 20);  // who asks now waits for no more than these
  server.pass(std::chrono::milliseconds{500});
  CHECK(server.ask().stats().actors_resident >= accounts);
}

TEST_CASE("shell: an idle actor leaves memory and comes back the same", "[actors]") {
  simulated_server server{11};
  const auto id = server.make_account("ada");
  server.settle();
  const auto resident = server.ask().stats().actors_resident;
  server.pass(std::chrono::minutes{3});
  CHECK(server.ask().stats().actors_resident < resident);
  kept<account::aggregate> read;
  server.ask().read(id, server.meta_for(id).by, read.taker());
  server.settle();
  REQUIRE(read.has());
  CHECK(read.get()->state->name == "ada");
}

TEST_CASE("shell: a long stream comes back from a snapshot, equal to the fold from version 1",
          "[actors]") {
  kernel_limits limits;
  limits.snapshot_every_events = 16;
  simulated_server server{12, limits};
  const auto id = server.make_account("ada");
  for (int i = 0; i < 100; ++i)
    REQUIRE(server.call<account::aggregate>(
        id, account::issue_token{{"tok_" + std::to_string(i)}, "t", some_hash, {}},
        server.meta_for(id)));
  REQUIRE(server.journal.load_snapshot({aggregate_kind::account, id.value}));
  server.crash();
  server.boot();
  kept<account::aggregate> read;
  server.ask().read(id, server.meta_for(id).by, read.taker());
  server.settle();
  account::state folded;
  for (const auto& each :
       *server.journal.read_stream({aggregate_kind::account, id.value}, {0}, 1000))
    for (const auto& record : each.body.events)
      folded = account::aggregate::apply(std::move(folded), *account::aggregate::decode(record));
  CHECK(*read.get()->state == folded);
  CHECK(folded.tokens.size() == 100);
}

TEST_CASE("shell: a stream used now and then has a snapshot too", "[actors]") {
  kernel_limits limits;
  limits.snapshot_every_events = 16;
  simulated_server server{12, limits};
  const auto id = server.make_account("ada");
  for (int life = 0; life < 4; ++life) {
    for (int i = 0; i < 5; ++i)
      REQUIRE(server.call<account::aggregate>(
          id, account::issue_token{{"tok_" + std::to_string(life * 5 + i)}, "t", some_hash, {}},
          server.meta_for(id)));
    server.crash();
    server.boot();
  }
  CHECK(server.journal.load_snapshot({aggregate_kind::account, id.value}));
}

TEST_CASE("kernel: it ends although a thread that spoke to it lives on", "[actors]") {
  berth::testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_bulk_log bulk;
  berth::testing::fake_host host;
  auto core = make_kernel({journal, host, bulk, clock, {}, {"host_x"}, "boot", 1, {}, 1, false});
  std::promise<void> asked, ended;
  std::thread outsider{[&] {
    const account_id id{derived_id("acct", "ada", uuid{})};
    core->ask(id, account::create{"ada", account::role::member},
              {uuid{{1}}, {id, "tok", false}, {}, {}, {}},
              [&asked](const auto&) { asked.set_value(); });
    ended.get_future().wait_for(std::chrono::seconds{10});  // so that a failure is not a hang
  }};
  REQUIRE(asked.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
  core->stop();
  const auto began = std::chrono::steady_clock::now();
  core.reset();
  const bool in_time = std::chrono::steady_clock::now() - began < std::chrono::seconds{5};
  ended.set_value();
  outsider.join();
  CHECK(in_time);
}
