#include "tests/support/catch.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;

namespace {

struct things {
  std::string environment;
  std::string terminal;
  std::string session;
  std::string account;
  std::string token;
};

// One of each kind, all the administrator's.
things make_things(gateway_world& world) {
  things made;
  made.environment = world.make_environment("web");
  const auto opened =
      world.call("POST", "/api/v1/environments/web/terminals", R"({"cols":80,"rows":24})");
  REQUIRE(opened->status() == 201);
  made.terminal = std::string(opened->json().at("terminal").at("id").as_string());
  made.account = gateway::account_id_of("admin").value;
  made.session = derived_id("sess", made.account, uuid::derived("test", "session"));
  command_meta meta;
  meta.id = uuid::derived("test", "open");
  meta.by = {{made.account}, "tok_test", false};
  std::optional<bool> good;
  world.kernel.ask(
      session_id{made.session},
      session::open{{made.account}, {"tok_test"}, "browser", uuid::derived("test", "input")}, meta,
      [&](auto opened_session) { good = opened_session.has_value(); });
  REQUIRE(good == true);
  made.token = std::string(world.call("GET", "/api/v1/accounts/me/tokens")
                               ->json()
                               .at("items")
                               .at(0)
                               .at("id")
                               .as_string());
  return made;
}

std::string replaced(std::string path, const std::string& what, const std::string& with) {
  if (const auto at = path.find(what); at != std::string::npos) path.replace(at, what.size(), with);
  return path;
}

std::string path_to(const gateway::route& route, const things& all, bool by_name) {
  auto path = replaced(std::string(route.path), "{environment}", by_name ? "web" : all.environment);
  path = replaced(path, "{terminal}", all.terminal);
  path = replaced(path, "{session}", all.session);
  path = replaced(path, "{account}", by_name ? "admin" : all.account);
  path = replaced(path, "{token}", all.token);
  return replaced(path, "{port}", "80");
}

// A body every route takes.
const std::string body_for_all = R"({"cols":80,"rows":24,"command":["ls"],"client":"phone"})";

bool names_a_thing(const gateway::route& route) {
  return route.path.find('{') != std::string_view::npos;
}

}  // namespace

TEST_CASE("tenancy: every route about another tenant's thing answers 404, by id and by name",
          "[gateway]") {
  gateway_world world;
  const auto all = make_things(world);
  const auto stranger = world.make_account("stranger");
  const auto before = world.journal.head();
  std::size_t tried = 0;
  for (const auto& route : gateway::route_table()) {
    if (!names_a_thing(route) || route.needs != gateway::access::user) continue;
    for (const bool by_name : {false, true}) {
      const auto path = path_to(route, all, by_name);
      const auto body = route.method == "POST" ? body_for_all : std::string();
      const auto theirs =
          world.call_as(stranger, std::string(route.method), path, body, {{"upgrade", "tcp"}});
      CAPTURE(route.method, path);
      CHECK(theirs->status() == 404);
      CHECK(theirs->code() == "not_found");
      ++tried;
    }
  }
  CHECK(tried >= 30);
  CHECK(world.journal.head() == before);
}

TEST_CASE("tenancy: the owner reaches what a stranger does not", "[gateway]") {
  gateway_world world;
  const auto all = make_things(world);
  for (const auto& route : gateway::route_table()) {
    if (!names_a_thing(route) || route.needs != gateway::access::user || route.method != "GET")
      continue;
    const auto path = path_to(route, all, false);
    const auto mine = world.call("GET", path);
    world.fire_timers();
    CAPTURE(path);
    CHECK(mine->status() != 404);
  }
}

TEST_CASE("tenancy: lists show the own account's things only", "[gateway]") {
  gateway_world world;
  make_things(world);
  const auto stranger = world.make_account("stranger");
  for (const char* path :
       {"/api/v1/environments", "/api/v1/terminals", "/api/v1/sessions", "/api/v1/bill-lines"}) {
    const auto theirs = world.call_as(stranger, "GET", path);
    CAPTURE(path);
    REQUIRE(theirs->status() == 200);
    CHECK(theirs->json().at("items").as_array().empty());
  }
  CHECK(world.call_as(stranger, "GET", "/api/v1/usage")
            ->json()
            .at("environments")
            .as_array()
            .empty());
  for (const char* path : {"/api/v1/audit", "/api/v1/events"}) {
    const auto theirs = world.call_as(stranger, "GET", path);
    CAPTURE(path);
    REQUIRE(theirs->status() == 200);
    CHECK(theirs->given->body.find("web") == std::string::npos);
    CHECK(theirs->given->body.find("env_") == std::string::npos);
  }
  for (const char* path : {"/api/v1/audit?account=all", "/api/v1/events?account=all"})
    CHECK(world.call_as(stranger, "GET", path)->status() == 403);
}

TEST_CASE("tenancy: two accounts may use the same name and the same idempotency key", "[gateway]") {
  gateway_world world;
  const auto other = world.make_account("other");
  const std::string body = R"({"name":"web","instance_type":"lightweight"})";
  const auto mine = world.call("POST", "/api/v1/environments", body, {{"idempotency-key", "k"}});
  const auto theirs =
      world.call_as(other, "POST", "/api/v1/environments", body, {{"idempotency-key", "k"}});
  REQUIRE(mine->status() == 201);
  REQUIRE(theirs->status() == 201);
  CHECK(mine->json().at("environment").at("id") != theirs->json().at("environment").at("id"));
}
