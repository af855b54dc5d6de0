// Catalog, audit, feed and activity, through the queries.
#include <rapidcheck.h>

#include "events/event_json.hpp"
#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "projections/queries.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/random_history.hpp"

namespace berth {
namespace {

const account_id alice{"acct_1"};
const account_id bob{"acct_2"};

struct world {
  explicit world(std::uint64_t seed, std::size_t commits = 500) : history{journal, seed} {
    history.grow(commits);
    BERTH_ASSERT(projector(journal, views).catch_up().has_value());
  }

  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_view_store views;
  test::random_history history;
};

// Every item of a paged list.
template <class List>
auto all_of(std::size_t limit, List list) {
  auto page = list(std::string{}, limit);
  auto items = page.items;
  while (!page.next.empty()) {
    page = list(page.next, limit);
    items.insert(items.end(), page.items.begin(), page.items.end());
  }
  return items;
}

// What a catalog row must show of the actor's state: all but execs (not kept).
environment::state listed(environment::state state) {
  state.pending_execs.clear();
  return state;
}

}  // namespace

TEST_CASE("catalog: environments are listed as their actors have them, page by page, by account",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    std::map<account_id, std::set<std::string>> expected;
    for (const auto& [id, state] : w.history.environments()) {
      if (state.status == environment::status::absent ||
          state.status == environment::status::deleted)
        continue;
      expected[state.account].insert(id);
    }
    for (const auto& account : {alice, bob}) {
      std::set<std::string> seen;
      for (const auto& row : all_of(2, [&](const std::string&after, std::size_t limit) {
             return queries::list_environments(w.views, account, {}, after, limit);
           })) {
        RC_ASSERT(seen.insert(row.id.value).second);
        auto actor = listed(w.history.environments().at(row.id.value));
        // Execs and terminals are activity of the view, not of the actor.
        RC_ASSERT(row.state.last_activity >= actor.last_activity);
        actor.last_activity = row.state.last_activity;
        RC_ASSERT(row.state == actor);
        RC_ASSERT(queries::find_environment(w.views, account, row.state.name)->id == row.id);
        RC_ASSERT(!queries::find_environment(w.views, {"acct_9"}, row.id.value));
        const auto history =
            w.journal.read_stream({aggregate_kind::environment, row.id.value}, {}, 1000);
        RC_ASSERT(row.version == history->back().body.last());
      }
      RC_ASSERT(seen == expected[account]);
    }
  }));
}

TEST_CASE("catalog: a status filters, DELETED ones are found by id and by asking for them",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    for (const auto status :
         {environment::status::running, environment::status::error, environment::status::deleted}) {
      std::set<std::string> expected, seen;
      for (const auto& [id, state] : w.history.environments()) {
        if (state.status == status && state.account == alice) expected.insert(id);
      }
      for (const auto& row : queries::list_environments(w.views, alice, status, "", 1000).items) {
        seen.insert(row.id.value);
        RC_ASSERT(queries::find_environment(w.views, alice, row.id.value)->state.status == status);
      }
      RC_ASSERT(seen == expected);
    }
  }));
}

TEST_CASE("catalog: terminals by environment and account, without removed ones", "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed};
    std::set<std::string> expected, seen;
    for (const auto& [id, state] : w.history.terminals()) {
      const bool there =
          state.status != terminal::status::absent && state.status != terminal::status::removed;
      if (there && state.account == alice) expected.insert(id);
    }
    for (const auto& row : queries::list_terminals(w.views, alice, {}, "", 1000).items) {
      seen.insert(row.id.value);
      RC_ASSERT(row.state == w.history.terminals().at(row.id.value));
      RC_ASSERT(queries::find_terminal(w.views, alice, row.id).has_value());
      RC_ASSERT(!queries::find_terminal(w.views, bob, row.id));
      const auto beside =
          queries::list_terminals(w.views, alice, row.state.environment, "", 1000).items;
      RC_ASSERT(std::any_of(beside.begin(), beside.end(),
                            [&](const auto& one) { return one.id == row.id; }));
      for (const auto& one :
           queries::list_terminals(w.views, bob, row.state.environment, "", 1000).items)
        RC_ASSERT(one.state.account == bob);
    }
    RC_ASSERT(seen == expected);
  }));
}

TEST_CASE("catalog: accounts by name, tokens with their fate, sessions while they are open",
          "[projections]") {
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_view_store views;
  std::map<stream_id, std::uint64_t> versions;
  const auto append = [&](const stream_id& stream, std::vector<event_record> events) {
    commit_body body;
    body.stream = stream;
    body.first = {versions[stream] + 1};
    body.command = uuid::derived("test", stream.text(), std::to_string(body.first.value));
    body.by = {alice, "tok_1", false};
    body.events = std::move(events);
    versions[stream] = body.last().value;
    REQUIRE_FALSE(journal.append(body, 0, nullptr));
  };
  const stream_id account{aggregate_kind::account, alice.value};
  const stream_id session{aggregate_kind::session, "sess_1"};
  const auto at = from_us(1'000'000);
  account::secret_hash hash{};
  hash[0] = 7;
  append(account,
         {account::aggregate::encode(account::created{"alice", account::role::admin, at})});
  append(account,
         {account::aggregate::encode(account::token_issued{{"tok_1"}, "ci", hash, {}, at}),
          account::aggregate::encode(account::token_issued{{"tok_2"}, "laptop", hash, {}, at})});
  append(account, {account::aggregate::encode(account::token_revoked{{"tok_2"}, at})});
  append(session, {session::aggregate::encode(
                      session::opened{alice, {"tok_1"}, "web", uuid::derived("a", "b"), at})});
  REQUIRE(projector(journal, views).catch_up().has_value());

  const auto found = queries::find_account(views, "alice");
  REQUIRE(found.has_value());
  CHECK(found->id == alice);
  CHECK(found->version == stream_version{4});
  CHECK(found->state.role == account::role::admin);
  CHECK(queries::find_account(views, "acct_1")->state.name == "alice");
  CHECK_FALSE(queries::find_account(views, "nobody"));
  CHECK(queries::list_accounts_of_all(views, "", 10).items.size() == 1);
  const auto tokens = queries::list_tokens(views, alice, "", 10).items;
  REQUIRE(tokens.size() == 2);
  CHECK_FALSE(tokens[0].token.revoked);
  CHECK(tokens[1].token.revoked);
  CHECK(tokens[1].token.label == "laptop");
  CHECK(queries::find_token(views, {"tok_1"})->token.hash == hash);
  CHECK_FALSE(queries::find_token(views, {"tok_9"}));
  CHECK(queries::list_sessions(views, alice, "", 10).items.size() == 1);
  append(session, {session::aggregate::encode(session::closed{session::close_reason::logout, at})});
  REQUIRE(projector(journal, views).catch_up().has_value());
  CHECK(queries::list_sessions(views, alice, "", 10).items.empty());
}

TEST_CASE("audit: every commit of an account's streams once, newest first", "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed, 300};
    const auto everything = w.journal.read({0, 1}, 10'000).value();
    std::map<std::string, account_id> owner;
    std::vector<command_id> expected, expected_of_all;
    for (const auto& happened : everything) {
      const auto& stream = happened.body.stream;
      if (stream.kind == aggregate_kind::host) continue;
      if (stream.kind == aggregate_kind::account) owner[stream.text()] = {stream.key};
      if (stream.kind == aggregate_kind::environment) {
        owner[stream.text()] = w.history.environments().at(stream.key).account;
      }
      if (stream.kind == aggregate_kind::terminal)
        owner[stream.text()] = w.history.terminals().at(stream.key).account;
      if (stream.kind == aggregate_kind::session) {
        const auto first = session::aggregate::decode(
            w.journal.read_stream(stream, {}, 1).value().front().body.events.front());
        owner[stream.text()] = std::get<session::opened>(*first).account;
      }
      if (happened.body.by.is_system && happened.body.events.empty()) continue;
      expected_of_all.insert(expected_of_all.begin(), happened.body.command);
      if (owner.at(stream.text()) == alice)
        expected.insert(expected.begin(), happened.body.command);
    }
    const auto commands = [](const std::vector<audit_row>& rows) {
      std::vector<command_id> out;
      for (const auto& row : rows) out.push_back(row.command);
      return out;
    };
    RC_ASSERT(commands(all_of(7, [&](const std::string& after, std::size_t limit) {
                return queries::audit(w.views, alice, after, limit);
              })) == expected);
    RC_ASSERT(commands(all_of(50, [&](const std::string& after, std::size_t limit) {
                return queries::audit_of_all(w.views, after, limit);
              })) == expected_of_all);
  }));
}

TEST_CASE("feed: an account's commits in journal order, from any position, and no other's",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    world w{seed, 300};
    std::vector<position> seen;
    for (journal_cursor after;;) {
      const auto page = queries::feed(w.views, w.journal, alice, after, 9).value();
      if (page.empty()) break;
      for (const auto& happened : page) {
        RC_ASSERT(!after.reaches(happened.at()));
        after.set(happened.at());
        seen.push_back(happened.at());
        RC_ASSERT(!happened.body.events.empty());
        RC_ASSERT(happened.body.stream.key != "acct_2");
        if (happened.body.stream.kind == aggregate_kind::environment) {
          RC_ASSERT(w.history.environments().at(happened.body.stream.key).account == alice);
        }
      }
    }
    const auto both = seen.size() + queries::feed(w.views, w.journal, bob, {}, 1000).value().size();
    std::size_t hosts = 0;
    std::size_t all = 0;
    for (journal_cursor after;;) {
      const auto page = queries::feed_of_all(w.journal, after, 17).value();
      if (page.empty()) break;
      after.set(page.back().at());
      all += page.size();
      for (const auto& happened : page)
        hosts += happened.body.stream.kind == aggregate_kind::host ? 1 : 0;
    }
    RC_ASSERT(both + hosts == all);
  }));
}

}  // namespace berth
