#include "gateway/render/position_text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;

namespace {
const std::string create_body = R"({"name":"web","instance_type":"lightweight"})";
const std::string key_a = "018f0000-0000-7000-8000-000000000001";
}  // namespace

TEST_CASE("environments: a created one is answered 201 with its id, name, status and a message",
          "[gateway]") {
  gateway_world world;
  world.kernel.effects = false;
  const auto made = world.call("POST", "/api/v1/environments", create_body);
  REQUIRE(made->status() == 201);
  const auto body = made->json();
  const auto& environment = body.at("environment").as_object();
  CHECK(environment.at("name") == "web");
  CHECK(environment.at("status") == "CREATING");
  CHECK(environment.at("instance_type") == "lightweight");
  CHECK(environment.contains("created_at"));
  CHECK(body.at("message").as_string().starts_with("web is CREATING"));
  CHECK(made->given->headers.contains("ETag"));
  CHECK(made->given->headers.contains("Berth-Position"));
  CHECK(made->given->headers.contains("X-Request-Id"));
}

TEST_CASE("environments: id and name lead to the same one", "[gateway]") {
  gateway_world world;
  const auto id = world.make_environment("web");
  const auto by_id = world.call("GET", "/api/v1/environments/" + id);
  const auto by_name = world.call("GET", "/api/v1/environments/web");
  REQUIRE(by_id->status() == 200);
  CHECK(by_id->given->body == by_name->given->body);
  CHECK(by_id->json().at("environment").at("status") == "RUNNING");
  CHECK(world.call("GET", "/api/v1/environments/other")->status() == 404);
  CHECK(world.call("GET", "/api/v1/environments/env_00000000000000000000000000")->status() == 404);
  CHECK(world.call("GET", "/api/v1/environments/env_nonsense")->status() == 404);
}

TEST_CASE("environments: a retry with the same key has one effect and the same answer",
          "[gateway]") {
  gateway_world world;
  const auto first =
      world.call("POST", "/api/v1/environments", create_body, {{"idempotency-key", key_a}});
  const auto commits = world.journal.head();
  const auto again =
      world.call("POST", "/api/v1/environments", create_body, {{"idempotency-key", key_a}});
  REQUIRE(first->status() == 201);
  CHECK(again->status() == 201);
  CHECK(again->given->body == first->given->body);
  CHECK(again->given->headers.at("Idempotency-Replayed") == "true");
  CHECK(world.journal.head() == commits);
}

TEST_CASE("environments: a key used with other content is a conflict", "[gateway]") {
  gateway_world world;
  world.call("POST", "/api/v1/environments", create_body, {{"idempotency-key", "any text"}});
  const auto other =
      world.call("POST", "/api/v1/environments", R"({"name":"db","instance_type":"lightweight"})",
                 {{"idempotency-key", "any text"}});
  CHECK(other->status() == 409);
  CHECK(other->code() == "idempotency_conflict");
}

TEST_CASE("environments: what is wrong with a creation is named", "[gateway]") {
  gateway_world world;
  world.make_environment("taken");
  struct row {
    const char* body;
    int status;
    const char* code;
    const char* field;
  };
  const auto wrong = GENERATE(
      row{R"({"instance_type":"lightweight"})", 422, "invalid_argument", "name"},
      row{R"({"name":"web"})", 422, "invalid_argument", "instance_type"},
      row{R"({"name":7,"instance_type":"lightweight"})", 422, "invalid_argument", "name"},
      row{R"({"name":"web","instance_type":"huge"})", 422, "invalid_argument", "instance_type"},
      row{R"({"name":"web","instance_type":"lightweight","template":"none"})", 422,
          "invalid_argument", "template"},
      row{R"({"name":"Web_1","instance_type":"lightweight"})", 422, "invalid_argument", "name"},
      row{R"({"name":"taken","instance_type":"lightweight"})", 409, "name_taken", "name"},
      row{R"({"name":)", 400, "bad_request", nullptr}, row{R"([1])", 400, "bad_request", nullptr},
      row{"\"\xff\"", 400, "bad_request", nullptr});
  const auto refused = world.call("POST", "/api/v1/environments", wrong.body);
  CAPTURE(wrong.body);
  CHECK(refused->status() == wrong.status);
  CHECK(refused->code() == wrong.code);
  if (wrong.field) CHECK(refused->json().at("details").at("field") == wrong.field);
  CHECK(refused->json().at("request_id").as_string() == refused->given->headers.at("X-Request-Id"));
}

TEST_CASE(
    "environments: stop, start and delete answer the environment; If-Match refuses another version",
    "[gateway]") {
  gateway_world world;
  const auto id = world.make_environment("web");
  const auto stopped = world.call("POST", "/api/v1/environments/web/stop");
  REQUIRE(stopped->status() == 200);
  CHECK(stopped->json().at("environment").at("status") == "STOPPING");
  CHECK(world.call("GET", "/api/v1/environments/web")->json().at("environment").at("status") ==
        "STOPPED");
  const auto old = world.call("POST", "/api/v1/environments/web/start", {},
                              {{"if-match", stopped->given->headers.at("ETag")}});
  CHECK(old->status() == 412);
  CHECK(old->code() == "precondition_failed");
  CHECK(world.call("POST", "/api/v1/environments/web/start", {}, {{"if-match", "nonsense"}})
            ->status() == 422);
  const auto now = world.call("GET", "/api/v1/environments/web")->given->headers.at("ETag");
  CHECK(world.call("POST", "/api/v1/environments/web/start", {}, {{"if-match", now}})->status() ==
        200);
  CHECK(world.call("DELETE", "/api/v1/environments/web")->json().at("environment").at("status") ==
        "DELETING");
  CHECK(world.call("GET", "/api/v1/environments/web")->status() == 404);
  CHECK(world.call("GET", "/api/v1/environments/" + id)->json().at("environment").at("status") ==
        "DELETED");
  CHECK(world.call("POST", "/api/v1/environments", create_body)->status() == 201);
}

TEST_CASE("environments: wait=true answers when the status is reached, with it", "[gateway]") {
  gateway_world world;
  world.kernel.effects = false;
  const auto made = world.call("POST", "/api/v1/environments?wait=true", create_body);
  CHECK(made->times == 0);
  const auto listed = world.call("GET", "/api/v1/environments");
  const auto key = std::string(listed->json().at("items").at(0).at("id").as_string());
  REQUIRE(world.kernel.system_ask<environment::aggregate>(key, environment::report_provisioned{}));
  CHECK(made->times == 0);
  REQUIRE(world.kernel.system_ask<environment::aggregate>(
      key, environment::report_started{"life", {"host_1"}}));
  REQUIRE(made->times == 1);
  CHECK(made->status() == 201);
  CHECK(made->json().at("environment").at("status") == "RUNNING");
}

TEST_CASE("environments: a creation that fails while waited for shows cause and next step",
          "[gateway]") {
  gateway_world world;
  world.kernel.effects = false;
  const auto made = world.call("POST", "/api/v1/environments?wait=true", create_body);
  const auto key = std::string(
      world.call("GET", "/api/v1/environments")->json().at("items").at(0).at("id").as_string());
  REQUIRE(world.kernel.system_ask<environment::aggregate>(
      key, environment::report_failed{environment::status::creating, "no space left",
                                      "free some disk"}));
  REQUIRE(made->status() == 201);
  const auto environment = made->json().at("environment").as_object();
  CHECK(environment.at("status") == "ERROR");
  CHECK(environment.at("cause") == "no space left");
  CHECK(environment.at("next_step") == "free some disk");
}

TEST_CASE("environments: a wait ends at its deadline with 408, and at once if it is hopeless",
          "[gateway]") {
  gateway_world world;
  world.make_environment("web");
  const auto reached = world.call("GET", "/api/v1/environments/web/wait?state=RUNNING");
  CHECK(reached->status() == 200);
  const auto waiting =
      world.call("GET", "/api/v1/environments/web/wait?state=STOPPED&timeout_ms=5");
  CHECK(waiting->times == 0);
  world.fire_timers();
  REQUIRE(waiting->times == 1);
  CHECK(waiting->status() == 408);
  CHECK(waiting->code() == "timeout");
  CHECK(world.call("GET", "/api/v1/environments/web/wait?state=NOWHERE")->status() == 422);
  CHECK(world.call("GET", "/api/v1/environments/none/wait")->status() == 404);
}

TEST_CASE("environments: exec answers exit code, outputs and duration", "[gateway]") {
  gateway_world world;
  world.make_environment("web");
  environment::exec ran;
  world.kernel.on_exec = [&](const environment::exec& asked) {
    ran = asked;
    environment::exec_finished finished;
    finished.exit_code = 3;
    finished.stdout_bytes = "out \xff";
    finished.stderr_bytes = "err";
    finished.duration_ms = 12;
    return finished;
  };
  const std::string body =
      R"({"command":["sh","-c","exit 3"],"stdin":"in","env":{"A":"b"},"timeout_ms":500})";
  const auto done =
      world.call("POST", "/api/v1/environments/web/exec", body, {{"idempotency-key", key_a}});
  REQUIRE(done->status() == 200);
  const auto answer = done->json();
  CHECK(answer.at("exit_code") == 3);
  CHECK(answer.at("stdout") == "out \xEF\xBF\xBD");
  CHECK(answer.at("stderr") == "err");
  CHECK(answer.at("duration_ms") == 12);
  CHECK(answer.at("lossy") == true);
  CHECK(ran.command == std::vector<std::string>{"sh", "-c", "exit 3"});
  CHECK(ran.stdin_bytes == "in");
  CHECK(ran.env.at("A") == "b");
  CHECK(ran.timeout_ms == 500);
  ran = {};
  const auto again =
      world.call("POST", "/api/v1/environments/web/exec", body, {{"idempotency-key", key_a}});
  CHECK(again->given->body == done->given->body);
  CHECK(ran.command.empty());
  const auto coded = world.call("POST", "/api/v1/environments/web/exec",
                                R"({"command":["cat"],"stdin_base64":"/w==","encoding":"base64"})");
  CHECK(coded->json().at("stdout_base64") == "b3V0IP8=");
  CHECK(ran.stdin_bytes == "\xff");
}

TEST_CASE("environments: a wrong exec names the field", "[gateway]") {
  gateway_world world;
  world.make_environment("web");
  struct row {
    const char* body;
    const char* field;
  };
  const auto wrong = GENERATE(
      row{"{}", "command"}, row{R"({"command":[]})", "command"},
      row{R"({"command":"ls"})", "command"}, row{R"({"command":["ls",1]})", "command"},
      row{R"({"command":[""]})", "command"}, row{R"({"command":["ls"],"env":{"A":1}})", "env"},
      row{R"({"command":["ls"],"timeout_ms":0})", "timeout_ms"},
      row{R"({"command":["ls"],"timeout_ms":1.5})", "timeout_ms"},
      row{R"({"command":["ls"],"stdin_base64":"?"})", "stdin_base64"},
      row{R"({"command":["a\u0000b"]})", "command"},
      row{R"({"command":["ls"],"encoding":"x"})", "encoding"});
  const auto refused = world.call("POST", "/api/v1/environments/web/exec", wrong.body);
  CAPTURE(wrong.body);
  CHECK(refused->status() == 422);
  CHECK(refused->json().at("details").at("field") == wrong.field);
}

TEST_CASE("environments: lists are pages that join without a gap", "[gateway]") {
  gateway_world world;
  for (const char* name : {"a", "b", "c", "d", "e"}) world.make_environment(name);
  std::set<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const auto page = world
                          .call("GET", "/api/v1/environments?limit=2" +
                                           (token.empty() ? "" : "&page_token=" + token))
                          ->json();
    for (const auto& item : page.at("items").as_array())
      CHECK(seen.insert(std::string(item.at("name").as_string())).second);
    token = page.contains("next_token") ? std::string(page.at("next_token").as_string()) : "";
    ++pages;
  } while (!token.empty() && pages < 10);
  CHECK(seen == std::set<std::string>{"a", "b", "c", "d", "e"});
  CHECK(pages == 3);
  world.call("POST", "/api/v1/environments/b/stop");
  const auto stopped =
      world.call("GET", "/api/v1/environments?status=STOPPED")->json().at("items").as_array();
  REQUIRE(stopped.size() == 1);
  CHECK(stopped.at(0).at("name") == "b");
  CHECK(world.call("GET", "/api/v1/environments?status=nope")->status() == 422);
  CHECK(world.call("GET", "/api/v1/environments?limit=0")->status() == 422);
  CHECK(world.call("GET", "/api/v1/environments?limit=101")->status() == 422);
}

TEST_CASE("environments: a list with Berth-After waits for the views or is refused", "[gateway]") {
  const auto partitions = GENERATE(1U, 5U);
  gateway_world world{partitions};
  const auto made = world.call("POST", "/api/v1/environments", create_body);
  const auto position = made->given->headers.at("Berth-Position");
  CHECK(world.call("GET", "/api/v1/environments", {}, {{"berth-after", position}})->status() ==
        200);
  const auto all = gateway::cursor_text(heads_of(world.journal));
  CHECK(world.call("GET", "/api/v1/environments", {}, {{"berth-after", all}})->status() == 200);
  const auto unknown = std::to_string(partitions) + ".1";
  for (const auto& bad : {std::string("nonsense"), std::string("0.999"), unknown})
    CHECK(world.call("GET", "/api/v1/environments", {}, {{"berth-after", bad}})->status() == 422);
  world.views_keep_up = false;
  const auto behind = world.call("GET", "/api/v1/environments", {}, {{"berth-after", position}});
  CHECK(behind->status() == 503);
  CHECK(behind->given->headers.contains("Retry-After"));
}

TEST_CASE("environments: a port is dialled only by an upgrade", "[gateway]") {
  gateway_world world;
  world.make_environment("web");
  const auto plain = world.call("GET", "/api/v1/environments/web/ports/8080");
  CHECK(plain->status() == 426);
  CHECK(plain->given->headers.at("Upgrade") == "tcp");
  CHECK(world.call("GET", "/api/v1/environments/web/ports/0")->status() == 422);
  CHECK(world.call("GET", "/api/v1/environments/web/ports/65536")->status() == 422);
  CHECK(world.call("GET", "/api/v1/environments/web/ports/x")->status() == 422);
  world.call("POST", "/api/v1/environments/web/stop");
  CHECK(
      world.call("GET", "/api/v1/environments/web/ports/8080", {}, {{"upgrade", "tcp"}})->code() ==
      "wrong_state");
}
