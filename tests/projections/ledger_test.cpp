// Usage and bills: by hand, and against a sum made without any view.
#include <rapidcheck.h>

#include "infra/memory/memory_journal.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/money.hpp"
#include "projections/projector.hpp"
#include "projections/queries.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/random_history.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using environment::status;

const timestamp t0 = from_us(1'700'000'000'000'000);
const timestamp end_of_time = t0 + 24h * 10'000;

struct ledger {
  testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_view_store views;

  void append(const std::string& id, std::vector<environment::event> events) {
    commit_body body;
    body.stream = {aggregate_kind::environment, id};
    body.first = {versions[id] + 1};
    body.command = uuid::derived("test", id, std::to_string(body.first.value));
    for (const auto& happened : events)
      body.events.push_back(environment::aggregate::encode(happened));
    versions[id] = body.last().value;
    REQUIRE_FALSE(journal.append(body, 0, nullptr));
  }
  void project() { REQUIRE(projector{journal, views}.catch_up().has_value()); }

  std::map<std::string, std::uint64_t> versions;
};

// 4.5 s CREATING and STARTING together, then RUNNING from t0 + 4.5 s.
void start_one(ledger& in, const std::string& id, std::int64_t price) {
  in.append(id, {environment::created{
                    {"acct_1"}, "web", "lightweight", "host", "2026-11", price, t0, t0 + 60s}});
  in.append(id, {environment::provisioned{t0 + 1s, t0 + 61s}});
  in.append(id, {environment::started{"life-1", {"host_1"}, t0 + 4500ms}});
}

// RUNNING time of an environment's events, without states, views or intervals.
microseconds running_time(const std::vector<environment::event>& events, timestamp now) {
  microseconds sum{};
  bool runs = false;
  timestamp since{};
  const auto end = [&](timestamp at) {
    if (runs) sum += at - since;
    runs = false;
  };
  for (const auto& happened : events) {
    if (const auto* e = std::get_if<environment::started>(&happened)) since = e->at, runs = true;
    if (const auto* e = std::get_if<environment::stop_asked>(&happened)) end(e->at);
    if (const auto* e = std::get_if<environment::delete_asked>(&happened)) end(e->at);
    if (const auto* e = std::get_if<environment::lost>(&happened)) end(e->alive_until);
  }
  end(now);
  return sum;
}

}  // namespace

TEST_CASE("money: rounding to micro-USD is half to even, once", "[projections]") {
  CHECK(round_to_micro_usd(0) == 0);
  CHECK(round_to_micro_usd(499'999) == 0);
  CHECK(round_to_micro_usd(500'000) == 0);
  CHECK(round_to_micro_usd(500'001) == 1);
  CHECK(round_to_micro_usd(1'500'000) == 2);
  CHECK(round_to_micro_usd(2'500'000) == 2);
  CHECK(round_to_micro_usd(-500'000) == 0);
  CHECK(round_to_micro_usd(-1'500'000) == -2);
  CHECK(round_to_micro_usd(-1'500'001) == -2);
  CHECK(round_to_micro_usd(-1'499'999) == -1);
}

TEST_CASE("money: amounts are exact, and what does not fit is nothing", "[projections]") {
  CHECK(amount_pico_usd(23'000'000, 1us) == 23);
  CHECK(amount_pico_usd(23'000'000, 3600s) == 82'800'000'000);
  CHECK_FALSE(amount_pico_usd(std::numeric_limits<std::int64_t>::max(), 2s));
  CHECK(amount_pico_usd(std::numeric_limits<std::int64_t>::max(), 1s) ==
        std::numeric_limits<std::int64_t>::max());
  CHECK_FALSE(add_amounts(std::numeric_limits<std::int64_t>::max(), 1));
  CHECK(add_amounts(1, 2) == 3);
}

TEST_CASE("billing: a line names its list, its versions, its time and its amount",
          "[projections]") {
  ledger one;
  start_one(one, "env_1", 23'000'000);
  one.append("env_1", {environment::activity_recorded{"key", t0 + 5s}});
  one.append("env_1", {environment::stop_asked{{}, t0 + 14'500ms, t0 + 44s}});
  one.append("env_1", {environment::stopped{t0 + 15s}});
  one.project();
  const auto lines = queries::list_bill_lines(one.views, {"acct_1"}, "", 10).items;
  REQUIRE(lines.size() == 1);
  const auto& line = lines.front();
  CHECK(line.what.environment == environment_id{"env_1"});
  CHECK(line.what.price_list == "2026-11");
  CHECK(line.what.first == stream_version{3});
  CHECK(line.what.last == stream_version{5});
  CHECK(line.what.duration() == 10s);
  CHECK(line.amount_pico_usd == 230'000'000);
  CHECK(line.amount_micro_usd == 230);
  CHECK_FALSE(line.overflowed);
  CHECK(queries::list_bill_lines(one.views, {"acct_2"}, "", 10).items.empty());
  CHECK(queries::accruing_lines(one.views, {"acct_1"}, t0 + 99s).empty());
}

TEST_CASE("billing: a lost environment is billed to its last sign of life, ERROR and STOPPED never",
          "[projections]") {
  ledger one;
  start_one(one, "env_1", 23'000'000);
  one.append("env_1", {environment::lost{"gone", t0 + 6'500ms, t0 + 100s, t0 + 160s}});
  one.append("env_1", {environment::failed{status::starting, "x", "y", t0 + 160s}});
  one.project();
  const auto lines = queries::list_bill_lines(one.views, {"acct_1"}, "", 10).items;
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().amount_micro_usd == 46);
  const auto used = queries::usage(one.views, {"acct_1"}, t0, t0 + 1000s, t0 + 200s);
  REQUIRE(used.environments.size() == 1);
  CHECK(used.environments.front().by_status.at(status::running) == 2s);
  CHECK(used.environments.front().by_status.at(status::error) == 40s);
  CHECK(used.amount_micro_usd == 46);
}

TEST_CASE("billing: a line whose amount does not fit says so instead of lying", "[projections]") {
  ledger one;
  start_one(one, "env_1", std::numeric_limits<std::int64_t>::max());
  one.append("env_1", {environment::stop_asked{{}, t0 + 24h, t0 + 25h}});
  one.project();
  const auto lines = queries::list_bill_lines(one.views, {"acct_1"}, "", 10).items;
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().overflowed);
  CHECK(lines.front().amount_micro_usd == 0);
  CHECK(queries::usage(one.views, {"acct_1"}, t0, t0 + 48h, t0 + 48h).overflowed);
}

TEST_CASE("usage: intervals are cut at the period's ends, open ones at now", "[projections]") {
  ledger one;
  start_one(one, "env_1", 23'000'000);
  one.project();
  const auto at = [&](microseconds from, microseconds to, microseconds now) {
    return queries::usage(one.views, {"acct_1"}, t0 + from, t0 + to, t0 + now);
  };
  CHECK(at(0s, 1000s, 14'500ms).environments.front().by_status.at(status::running) == 10s);
  CHECK(at(0s, 1000s, 14'500ms).environments.front().by_status.at(status::creating) == 1s);
  CHECK(at(0s, 1000s, 14'500ms).environments.front().by_status.at(status::starting) == 3500ms);
  CHECK(at(0s, 1000s, 14'500ms).by_instance_type.at("lightweight").at(status::running) == 10s);
  CHECK(at(0s, 1000s, 14'500ms).amount_micro_usd == 230);
  CHECK(at(2s, 6500ms, 100s).environments.front().by_status.at(status::running) == 2s);
  CHECK(at(2s, 6500ms, 100s).environments.front().by_status.at(status::starting) == 2500ms);
  CHECK(at(50s, 60s, 20s).environments.empty());
  CHECK(at(60s, 50s, 100s).environments.empty());
  CHECK(queries::usage(one.views, {"acct_2"}, t0, end_of_time, end_of_time).environments.empty());
  const auto accruing = queries::accruing_lines(one.views, {"acct_1"}, t0 + 14'500ms);
  REQUIRE(accruing.size() == 1);
  CHECK(accruing.front().amount_micro_usd == 230);
}

TEST_CASE("usage: views equal a sum over the events made without them, and bills equal usage",
          "[projections]") {
  CHECK(rc::check([](std::uint64_t seed) {
    testing::manual_clock clock;
    memory_journal journal{clock, memory_journal::mode::automatic};
    memory_view_store views;
    test::random_history history{journal, seed};
    history.grow(600);
    RC_ASSERT(projector(journal, views).catch_up().has_value());
    const auto now = history.now() + 10s;
    std::map<std::string, microseconds> expected;
    std::map<std::string, microseconds> by_account;
    for (const auto& [id, events] : history.environment_events()) {
      expected[id] = running_time(events, now);
      by_account[history.environments().at(id).account.value] += expected[id];
    }
    for (const auto* account : {"acct_1", "acct_2"}) {
      const auto used = queries::usage(views, {account}, t0, end_of_time, now);
      microseconds sum{};
      for (const auto& one : used.environments) {
        const auto running = one.by_status.find(status::running);
        const auto time = running == one.by_status.end() ? 0us : running->second;
        // A random terminal may name another account's environment: such an entry has counts alone.
        const auto actor = history.environments().find(one.id.value);
        const bool own =
            actor != history.environments().end() && actor->second.account.value == account;
        RC_ASSERT(time == (own ? expected[one.id.value] : 0us));
        sum += time;
      }
      RC_ASSERT(sum == by_account[account]);
      std::int64_t billed = 0;
      microseconds lines_time{};
      auto lines = queries::accruing_lines(views, {account}, now);
      for (std::string after;;) {
        auto page = queries::list_bill_lines(views, {account}, after, 7);
        lines.insert(lines.end(), page.items.begin(), page.items.end());
        after = page.next;
        if (after.empty()) break;
      }
      for (const auto& line : lines) {
        billed += line.amount_micro_usd;
        lines_time += line.what.duration();
      }
      RC_ASSERT(billed == used.amount_micro_usd);
      RC_ASSERT(lines_time == sum);
    }
  }));
}

}  // namespace berth
