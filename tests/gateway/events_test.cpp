#include "events/core/partition.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;

TEST_CASE("events: the feed shows each event of the account once, in order, over pages",
          "[gateway]") {
  const auto partitions = GENERATE(1U, 7U);
  CAPTURE(partitions);
  gateway_world world{partitions};
  world.make_environment("a");
  world.make_environment("b");
  std::vector<std::string> paged;
  std::string after;
  for (int pages = 0; pages < 100; ++pages) {
    const auto page = world.call("GET", "/api/v1/events?limit=2&after=" + after)->json();
    after = std::string(page.at("next_token").as_string());
    if (page.at("items").as_array().empty()) break;
    for (const auto& item : page.at("items").as_array())
      paged.push_back(std::string(item.at("stream").as_string()) + '#' +
                      std::to_string(item.at("version").as_int64()));
  }
  const auto at_once = world.call("GET", "/api/v1/events?limit=100")->json().at("items").as_array();
  std::vector<std::string> whole;
  for (const auto& item : at_once)
    whole.push_back(std::string(item.at("stream").as_string()) + '#' +
                    std::to_string(item.at("version").as_int64()));
  CHECK(paged.size() == whole.size());
  if (partitions == 1) CHECK(paged == whole);
  CHECK(std::set(paged.begin(), paged.end()) == std::set(whole.begin(), whole.end()));
  CHECK(std::set(whole.begin(), whole.end()).size() == whole.size());
  CHECK(whole.size() >= 8);
  std::set<std::uint32_t> used;  // chance may put all of three streams into one partition
  for (const auto& item : at_once)
    used.insert(
        partition_of(*stream_id::parse(std::string(item.at("stream").as_string())), partitions));
  CHECK((after.find('_') != std::string::npos) == (used.size() > 1));
  // Each item's cursor is where to go on behind it.
  const auto cursor = std::string(at_once.at(3).at("cursor").as_string());
  const auto rest = world.call("GET", "/api/v1/events?after=" + cursor)->json();
  CHECK(rest.at("items").as_array().size() == whole.size() - 4);
  CHECK(rest.at("next_token").as_string() == after);
}

TEST_CASE("events: a cursor of several partitions is waited behind, one of an unknown is refused",
          "[gateway]") {
  gateway_world world{5};
  world.make_environment("a");
  const auto waiting = world.call("GET", "/api/v1/events?after=now&wait_ms=1000");
  CHECK(waiting->times == 0);
  world.make_environment("b");
  REQUIRE(waiting->times == 1);
  CHECK(waiting->json().at("items").at(0).at("type") == "environment_requested");
  CHECK(world.call("GET", "/api/v1/events?after=0.1_4.1")->status() == 200);
  for (const char* bad : {"0.1_5.1", "4.1_0.1", "0.1_4.0", "5.1"})
    CHECK(world.call("GET", std::string("/api/v1/events?after=") + bad)->status() == 422);
}

TEST_CASE("events: a request that waits is answered by the next commit, or empty at its deadline",
          "[gateway]") {
  gateway_world world;
  const auto waiting = world.call("GET", "/api/v1/events?after=now&wait_ms=1000");
  CHECK(waiting->times == 0);
  world.make_environment("a");
  REQUIRE(waiting->times == 1);
  CHECK(waiting->json().at("items").at(0).at("type") == "environment_requested");
  const auto idle = world.call("GET", "/api/v1/events?after=now&wait_ms=1000");
  world.fire_timers();
  REQUIRE(idle->times == 1);
  CHECK(idle->status() == 200);
  CHECK(idle->json().at("items").as_array().empty());
  world.make_environment("b");
  CHECK(idle->times == 1);
  for (const char* bad : {"after=x", "after=1.1", "limit=0", "wait_ms=30001", "account=other"})
    CHECK(world.call("GET", std::string("/api/v1/events?") + bad)->status() == 422);
}

TEST_CASE(
    "events: an administrator sees all accounts, with what each command caused joined by "
    "correlation",
    "[gateway]") {
  gateway_world world;
  const auto other = world.make_account("other");
  const auto made = world.call_as(other, "POST", "/api/v1/environments",
                                  R"({"name":"web","instance_type":"balanced"})",
                                  {{"x-request-id", "ignored here"}});
  const auto request_id = made->given->headers.at("X-Request-Id");
  const auto all = world.call("GET", "/api/v1/events?account=all")->json().at("items").as_array();
  std::size_t joined = 0;
  for (const auto& item : all) joined += item.at("correlation").as_string() == request_id ? 1U : 0U;
  CHECK(joined >= 2);
  const auto audit = world.call("GET", "/api/v1/audit?account=all")->json().at("items").as_array();
  CHECK(audit.size() >= 5);
}

TEST_CASE("ledger: usage and bill lines follow what ran", "[gateway]") {
  gateway_world world;
  world.make_environment("web");
  world.clock.advance(std::chrono::seconds{100});
  world.call("POST", "/api/v1/environments/web/stop");
  const auto usage = world.call("GET", "/api/v1/usage")->json();
  REQUIRE(usage.at("environments").as_array().size() == 1);
  const auto& web = usage.at("environments").at(0).as_object();
  CHECK(web.at("microseconds_by_status").at("RUNNING") == 100'000'000);
  const auto lines = world.call("GET", "/api/v1/bill-lines")->json().at("items").as_array();
  REQUIRE(lines.size() == 1);
  CHECK(lines.at(0).at("amount_micro_usd") == usage.at("amount_micro_usd"));
  CHECK(world.call("GET", "/api/v1/usage?from=yesterday")->status() == 422);
  CHECK(world.call("GET", "/api/v1/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z")
            ->status() == 422);
}
