// Seeded mutations of valid requests: each gets exactly one answer, a typed error or a success, and
// nothing dies.
#include "tests/support/catch.hpp"

#include <random>

#include "gateway/problem.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;

namespace {

constexpr std::uint64_t seed = 20'261'121;
constexpr int requests = 5'000;

const std::vector<std::string> bodies{
    R"({"name":"web","instance_type":"lightweight","template":"host"})",
    R"({"command":["sh","-c","true"],"env":{"A":"b"},"stdin":"x","timeout_ms":1000,)"
    R"("working_directory":"/"})",
    R"({"cols":80,"rows":24,"command":["bash"],"journal":"tail","journal_tail_bytes":100})",
    R"({"label":"ci","expires_at":"2030-01-01T00:00:00Z","role":"member","reason":"r",)"
    R"("client":"phone"})",
    R"({"lifetime_s":60,"cookie":true,"kind":"ssh"})",
};
const std::vector<std::string> pieces{"null",
                                      "-1",
                                      "1e999",
                                      "18446744073709551616",
                                      "\"\\u0000\"",
                                      "[",
                                      "{",
                                      "\xff",
                                      "\"\\ud800\"",
                                      "true",
                                      "[[[[[[[[[[[[[[[[[[[[",
                                      "\"" + std::string(5'000, 'a') + "\"",
                                      ",",
                                      "}",
                                      "\\"};

class mutator {
 public:
  std::size_t below(std::size_t n) { return random_() % n; }
  std::string body() {
    auto text = bodies[below(bodies.size())];
    for (auto times = below(4); times > 0; --times) {
      const auto at = below(text.size() + 1);
      switch (below(4)) {
        case 0:
          text.erase(at, below(10));
          break;
        case 1:
          text.insert(at, pieces[below(pieces.size())]);
          break;
        case 2:
          text.replace(at, std::min<std::size_t>(below(8), text.size() - at),
                       pieces[below(pieces.size())]);
          break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(random_());
      }
    }
    return below(10) == 0 ? std::string() : text;
  }
  std::string value() {
    static const std::vector<std::string> values{"",
                                                 "web",
                                                 "me",
                                                 "admin",
                                                 "%00",
                                                 "-1",
                                                 "true",
                                                 "RUNNING",
                                                 "1",
                                                 "99999999999999999999",
                                                 "env_00000000000000000000000000",
                                                 "now",
                                                 "0.1",
                                                 "..",
                                                 "asciicast-v3",
                                                 "all"};
    return values[below(values.size())];
  }
  std::string header() {
    return below(3) ? value() : std::string(below(400), static_cast<char>('!' + below(90)));
  }
  std::mt19937_64 random_{seed};
};

}  // namespace

TEST_CASE("fuzz: every mutated request gets one typed answer", "[gateway]") {
  gateway_world world;
  const auto environment = world.make_environment("web");
  const auto opened = world.call("POST", "/api/v1/environments/web/terminals");
  const auto terminal = std::string(opened->json().at("terminal").at("id").as_string());
  mutator random;
  CAPTURE(seed);
  int successes = 0;
  int refusals = 0;
  for (int i = 0; i < requests; ++i) {
    const auto& route = gateway::route_table()[random.below(gateway::route_table().size())];
    gateway::request asked;
    asked.method = random.below(20) == 0 ? "PUT" : std::string(route.method);
    for (std::string path(route.path); !path.empty();) {
      const auto end = std::min(path.find('/', 1), path.size());
      const auto part = path.substr(1, end - 1);
      const bool named = part.starts_with('{');
      const auto known = part == "{environment}" ? (random.below(2) ? environment : "web")
                         : part == "{terminal}"  ? terminal
                                                 : "me";
      asked.path += '/' + (named ? (random.below(4) ? known : random.value()) : part);
      path.erase(0, end);
    }
    for (const char* name : {"limit", "page_token", "wait", "timeout_ms", "state", "from", "to",
                             "after", "wait_ms", "status", "format", "account"})
      if (random.below(8) == 0) asked.query[name] = random.value();
    for (const char* name : {"idempotency-key", "if-match", "berth-after", "upgrade"})
      if (random.below(8) == 0) asked.headers[name] = random.header();
    if (random.below(10)) asked.headers["authorization"] = "Bearer " + world.admin_token;
    asked.body = random.body();
    asked.request_id = gateway::fresh_request_id();
    CAPTURE(i, asked.method, asked.path, asked.body);
    const auto answer = world.send(asked);
    for (int rounds = 0; answer->times == 0 && rounds < 3; ++rounds) world.fire_timers();
    REQUIRE(answer->times == 1);
    const auto status = answer->status();
    if (status < 400) {
      ++successes;
      continue;
    }
    ++refusals;
    REQUIRE(status != 500);
    const auto error = answer->json();
    REQUIRE(gateway::kind_named(error.at("code").as_string()).status == status);
    REQUIRE_FALSE(error.at("error").as_string().empty());
  }
  CHECK(successes > requests / 20);
  CHECK(refusals > requests / 4);
}
