// HTTP: requests as bytes, through the parser, the router and every route, over a kernel without
// actors. Several requests may follow each other. `Authorization: Bearer admin` and `Bearer member`
// stand for the tokens of two accounts.
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <boost/beast/http/parser.hpp>

#include "gateway/embedded.hpp"
#include "gateway/options.hpp"
#include "gateway/problem.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/gateway_world.hpp"

// The document itself is not what is fuzzed here.
std::optional<std::string_view> berth::gateway::embedded_text(std::string_view) {
  return "openapi: 3.0.3";
}

namespace berth::fuzz {
namespace {

namespace http = boost::beast::http;
using berth::testing::gateway_world;

constexpr int requests_max = 4;
constexpr int timer_rounds_max = 4;
constexpr std::size_t answer_bytes_max = 8 * 1024 * 1024;
constexpr const char* secret_name = "hidden1";  // of the administrator's environment

// An account that owns an environment, a terminal with output; and another one.
struct world {
  gateway_world gateway;
  std::string member_token = gateway.make_account("member");
  std::string environment, terminal;

  world() {
    const auto made = gateway.call(
        "POST", "/api/v1/environments",
        std::string(R"({"name":")") + secret_name + R"(","instance_type":"lightweight"})",
        {{"idempotency-key", "make-environment"}});
    environment = std::string(made->json().at("environment").at("id").as_string());
    const auto opened = gateway.call("POST", "/api/v1/environments/" + environment + "/terminals",
                                     {}, {{"idempotency-key", "open-terminal"}});
    terminal = std::string(opened->json().at("terminal").at("id").as_string());
    gateway.bulk.append(terminal_id{terminal}, 0, share("printed \xff\xE2\x82 text\r\n"),
                        gateway.clock.now());
    gateway.bulk.append(terminal_id{terminal}, 16, share("and more"), gateway.clock.now());
  }
};

// What the server logs as an error is a bug of ours: a second answer, an exception.
class strict_sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string text{message.payload.data(), message.payload.size()};
    require(message.level < spdlog::level::err, text.c_str());
  }
  void flush_() override {}
};

void fail_on_logged_errors() {
  static const bool once = [] {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("fuzz", std::make_shared<strict_sink>()));
    return true;
  }();
  require(once, "the log is watched");
}

bool is_json(std::string_view text) {
  boost::system::error_code failed;
  boost::json::parse(text, failed);
  return !failed;
}

void check_answer(gateway::response answer) {
  require(answer.status >= 101 && answer.status < 600, "an answer has a status");
  require(answer.status != 500, "no request is an internal error");
  const auto head = gateway::header_text(answer, {11, true, false});
  require(head.find("\r\n\r\n") == head.size() - 4, "no header ends the head");
  if (!gateway::drain(answer, answer_bytes_max)) return;
  if (answer.content_type == "application/json" && !answer.body.empty())
    require(is_json(answer.body), "an answer that says so is JSON");
  if (answer.status < 400) return;
  const auto body = boost::json::parse(answer.body).as_object();
  require(gateway::kind_named(body.at("code").as_string()).status == answer.status,
          "an error's code is of its status");
  require(!body.at("error").as_string().empty(), "an error says what");
}

void send(world& in, gateway::request asked) {
  auto& who = asked.headers["authorization"];
  const bool is_member = who == "Bearer member";
  if (who == "Bearer admin") who = "Bearer " + in.gateway.admin_token;
  if (is_member) who = "Bearer " + in.member_token;
  if (who.empty()) asked.headers.erase("authorization");
  const auto said = asked.path + asked.body;
  const auto names = [&](const std::string& text) { return said.find(text) != said.npos; };
  const bool named = names(secret_name) || names(in.environment) || names(in.terminal);
  const auto answer = in.gateway.send(std::move(asked));
  for (int rounds = 0; answer->times == 0 && rounds < timer_rounds_max; ++rounds)
    in.gateway.fire_timers();
  require(answer->times == 1, "a request is answered once");
  const auto& body = answer->given->body;
  if (is_member && !named)
    for (const auto& hidden : {std::string(secret_name), in.environment, in.terminal})
      require(body.find(hidden) == body.npos, "nobody is told of another tenant's things");
  if (is_member && named)
    require(body.find("instance_type") == body.npos, "nobody reads another tenant's environment");
  check_answer(*answer->given);
}

}  // namespace

void run(std::string_view input) {
  fail_on_logged_errors();
  std::optional<world> in;
  const gateway::gateway_limits limits;
  for (int requests = 0; requests < requests_max && !input.empty(); ++requests) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser.body_limit(limits.body_bytes_max);
    parser.eager(true);
    boost::system::error_code failed;
    input.remove_prefix(parser.put(boost::asio::buffer(input.data(), input.size()), failed));
    if (failed || !parser.is_done()) return;
    auto message = parser.release();
    const auto id = gateway::request_id_of(message);
    require(uuid::parse(id).has_value(), "a request's id is a UUID");
    auto asked = gateway::to_request(std::move(message), "127.0.0.1", id);
    if (!asked) return require(!asked.error().why.empty(), "what is no request says why");
    if (!in) in.emplace();
    send(*in, std::move(*asked));
  }
}

std::vector<std::string> seeds() {
  const world in;
  const auto ask = [](std::string_view method, std::string_view target, std::string_view body,
                      std::string_view more = {}, std::string_view who = "admin") {
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n{}", method,
                            target, who, more);
    if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
    return text + "\r\n" + std::string(body);
  };
  const auto body_for = [](std::string_view path) -> std::string_view {
    if (path.ends_with("/environments"))
      return R"({"name":"web","instance_type":"lightweight","template":"host"})";
    if (path.ends_with("/exec"))
      return R"({"command":["sh"],"env":{"A":"b"},"stdin_base64":"eA==","timeout_ms":9})";
    if (path.ends_with("/terminals"))
      return R"({"cols":80,"rows":24,"command":["sh"],"journal":"tail","journal_tail_bytes":9})";
    if (path.ends_with("/resize")) return R"({"cols":100,"rows":40})";
    return R"({"label":"ci","expires_at":"2030-01-01T00:00:00Z","name":"n","role":"member",)"
           R"("lifetime_s":60,"cookie":true,"client":"phone"})";
  };
  std::vector<std::string> all;
  for (const auto& route : gateway::route_table()) {
    std::string path;
    for (std::string_view left = route.path; !left.empty();) {
      const auto end = std::min(left.find('/', 1), left.size());
      const auto part = left.substr(1, end - 1);
      path += '/' + (part == "{environment}" ? in.environment
                     : part == "{terminal}"  ? in.terminal
                     : part.starts_with('{') ? "me"
                                             : std::string(part));
      left.remove_prefix(end);
    }
    const bool writes = route.method == "POST";
    all.push_back(ask(route.method, path, writes ? body_for(path) : "",
                      writes ? "Idempotency-Key: k1\r\n" : ""));
    if (!writes) {
      const auto query = "?limit=2&from=0&state=RUNNING&timeout_ms=5&after=0.1&format=asciicast-v3";
      all.push_back(ask(route.method, path + query, "", "If-Match: \"1\"\r\n", "member"));
    }
  }
  const auto create =
      ask("POST", "/api/v1/environments?wait=true", R"({"name":"b","instance_type":"lightweight"})",
          "Idempotency-Key: k\r\n");
  all.push_back(create + create + ask("DELETE", "/api/v1/environments/b", ""));
  all.push_back(
      "POST /api/v1/auth/jwt HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer member\r\n"
      "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
  all.push_back("GET /health HTTP/1.0\r\nCookie: berth_token=a.b.c\r\n\r\n");
  return all;
}

}  // namespace berth::fuzz
