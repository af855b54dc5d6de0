#include "tests/support/catch.hpp"

#include "gateway/problem.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;
using namespace berth::gateway;

TEST_CASE("router: an unknown path is 404, a known one with another method 405 with Allow",
          "[gateway]") {
  gateway_world world;
  CHECK(world.call("GET", "/nope")->code() == "not_found");
  CHECK(world.call("GET", "/api/v1/environments/")->status() == 404);
  CHECK(world.call("GET", "/api/v1//environments")->status() == 404);
  const auto wrong = world.call("PATCH", "/api/v1/environments");
  CHECK(wrong->status() == 405);
  CHECK(wrong->code() == "method_not_allowed");
  CHECK(wrong->given->headers.at("Allow") == "POST, GET, HEAD");
  CHECK(world.call("OPTIONS", "/api/v1/environments")->status() == 405);
  CHECK(world.call_as("", "GET", "/nope")->status() == 404);
}

TEST_CASE("router: HEAD runs the GET route", "[gateway]") {
  gateway_world world;
  CHECK(world.call("HEAD", "/api/v1/environments")->status() == 200);
  CHECK(world.call_as("", "HEAD", "/health")->status() == 200);
}

TEST_CASE("router: what needs no token answers without one, everything else does not",
          "[gateway]") {
  gateway_world world;
  for (const auto& route : route_table()) {
    const auto answered = world.call_as("", std::string(route.method), std::string(route.path));
    CAPTURE(route.method, route.path);
    CHECK(answered->times == 1);
    CHECK((answered->status() == 401) == (route.needs != access::open));
  }
}

TEST_CASE("router: the server tells about itself", "[gateway]") {
  gateway_world world;
  CHECK(world.call_as("", "GET", "/")->given->body.find("devctl login") != std::string::npos);
  CHECK(world.call_as("", "GET", "/ready")->status() == 200);
  world.is_ready = false;
  CHECK(world.call_as("", "GET", "/ready")->status() == 503);
  CHECK(world.call_as("", "GET", "/live")->status() == 200);
  const auto metrics = world.call_as("", "GET", "/metrics")->given->body;
  CHECK(metrics.find("berthd_up 1") != std::string::npos);
  CHECK(metrics.find(R"(route="/ready",status="5xx")") != std::string::npos);
  CHECK(world.call_as("", "GET", "/openapi.yaml")->given->body.starts_with("openapi:"));
  CHECK(world.call("GET", "/api/v1/host")->json().at("provider") == "fake");
  CHECK(world.call("GET", "/api/v1/instance-types")->json().at("items").as_array().size() == 4);
  CHECK(world.call("GET", "/api/v1/ws")->status() == 426);
}

TEST_CASE("router: every rejection has a status, a code and a frame number of its own",
          "[gateway]") {
  std::set<std::string_view> codes;
  std::set<std::uint16_t> frames;
  for (const auto& kind : problem_kinds()) {
    CHECK(codes.insert(kind.code).second);
    CHECK(frames.insert(kind.frame).second);
    CHECK(kind.status >= 400);
    CHECK(((kind.status == 429 || kind.status == 503) == (kind.retry_after.count() > 0)));
  }
  for (int code = 0; code <= static_cast<int>(rejection_code::quarantined); ++code)
    CHECK(kind_of(static_cast<rejection_code>(code)).code ==
          name_of(static_cast<rejection_code>(code)));
}

TEST_CASE("router: a kernel that is overloaded is answered 429 with Retry-After", "[gateway]") {
  gateway_world world;
  world.kernel.refuse_next = reject(rejection_code::overloaded, "too many commands");
  const auto refused = world.call("GET", "/api/v1/environments");
  CHECK(refused->status() == 429);
  CHECK(refused->code() == "overloaded");
  CHECK(refused->given->headers.at("Retry-After") == "1");
}

TEST_CASE("router: a target that is no path or badly encoded is told apart", "[gateway]") {
  request into;
  for (const char* bad :
       {"", "*", "http://a/b", "/%", "/%4", "/%zz", "/%00", "/%ff", "/a?x=%ff", "/a?%=1"}) {
    CAPTURE(bad);
    CHECK_FALSE(split_target(bad, into));
  }
  REQUIRE(split_target("/a%20b/c?x=1+2&y=%C3%A9&z&x=3&&=q", into));
  CHECK(into.path == "/a b/c");
  CHECK(into.query == std::map<std::string, std::string>{{"x", "3"}, {"y", "\xC3\xA9"}, {"z", ""}});
}
