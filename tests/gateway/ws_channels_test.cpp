// Watched environments, the feed, and REST requests as frames.
#include <algorithm>

#include "gateway/render/position_text.hpp"
#include "tests/support/ws_world.hpp"

using namespace berth;
using namespace berth::testing;

namespace {

wire::request ask(std::uint32_t id, std::string method, std::string path, std::string body = {},
                  wire::pairs headers = {}) {
  wire::request out;
  out.id = id;
  out.method = std::move(method);
  out.path = std::move(path);
  out.headers = std::move(headers);
  out.body_size = static_cast<std::uint32_t>(body.size());
  out.body.bytes = std::move(body);
  return out;
}

wire::open watch(wire::target target, std::string id, std::string after = {}) {
  wire::open out;
  out.target = target;
  out.id = std::move(id);
  out.after = std::move(after);
  return out;
}

}  // namespace

TEST_CASE(
    "requests: a command over the socket has the answer it has over HTTP, and a retry the same one",
    "[gateway]") {
  ws_world world;
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  const std::string body = R"({"name":"web","instance_type":"lightweight"})";
  const wire::pairs headers{{"Idempotency-Key", "0190a5d0-0000-7000-8000-000000000001"},
                            {"Content-Type", "application/json"}};
  peer.say(0, ask(1, "POST", "/api/v1/environments", body, headers));
  const auto first = peer.hear<wire::response>();
  CHECK(first.status == 201);
  CHECK(first.headers.at("content-type") == "application/json");
  peer.say(0, ask(2, "POST", "/api/v1/environments", body, headers));
  const auto again = peer.hear<wire::response>();
  CHECK(again.status == 201);
  CHECK(again.headers.at("idempotency-replayed") == "true");
  peer.say(0, ask(3, "GET", "/api/v1/environments/web?x=%20"));
  const auto shown = peer.hear<wire::response>();
  CHECK(shown.id == 3);
  CHECK(shown.status == 200);
  peer.say(0, ask(4, "GET", "/api/v1/nothing"));
  CHECK(peer.hear<wire::response>().status == 404);
  peer.say(0, ask(5, "G E T", "/api/v1/environments"));
  CHECK(peer.hear<wire::response>().status == 400);
  peer.say(0, ask(6, "GET", "no path"));
  CHECK(peer.hear<wire::response>().status == 400);
}

TEST_CASE("requests: large bodies come and go in parts", "[gateway]") {
  ws_world world;
  const auto environment = world.below.make_environment("web");
  const std::string big(100'000, 'o');
  world.below.kernel.on_exec = [&](const environment::exec& e) {
    environment::exec_finished out{};
    out.stdout_bytes = e.stdin_bytes + e.stdin_bytes;
    return out;
  };
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  const std::string body = R"({"command":["cat"],"stdin":")" + big + R"("})";
  auto asked =
      ask(7, "POST", "/api/v1/environments/web/exec", "", {{"content-type", "application/json"}});
  asked.body_size = static_cast<std::uint32_t>(body.size());
  std::vector<wire::frame> frames{{0, asked}};
  for (std::size_t at = 0; at < body.size(); at += 30'000)
    frames.push_back({7, wire::body{at, wire::whole(body.substr(at, 30'000))}});
  peer.say(frames);
  wire::response head;
  std::string answer;
  for (const auto& one : peer.heard()) {
    if (const auto* response = std::get_if<wire::response>(&one.what)) head = *response;
    if (const auto* part = std::get_if<wire::body>(&one.what)) {
      CHECK(one.channel == 7);
      CHECK(part->offset == answer.size());
      answer += part->bytes.view();
    }
  }
  CHECK(head.status == 200);
  CHECK(head.body.bytes.empty());
  CHECK(head.body_size == answer.size());
  CHECK(answer.find(big + big) != std::string::npos);

  asked.body_size = 2 * 1024 * 1024 + 1;
  asked.id = 8;
  peer.say(0, asked);
  CHECK(peer.hear<wire::response>().status == 413);
  peer.say(8, wire::body{0, wire::whole("late")});
  CHECK(peer.hear<wire::error>().code == "invalid_argument");
  asked.body_size = 10;
  asked.id = 9;
  peer.say(0, asked);
  peer.say(9, wire::body{5, wire::whole("x")});
  CHECK(peer.hear<wire::error>().code == "invalid_argument");
  peer.say(9, wire::body{0, wire::whole("eleven bytes")});
  CHECK(peer.hear<wire::error>().code == "invalid_argument");
  peer.say(0, asked);
  CHECK(peer.hear<wire::error>().code == "invalid_argument");
}

TEST_CASE("requests: at most 64 wait for an answer", "[gateway]") {
  ws_world world;
  ws_peer peer(world, false);
  peer.hello();
  (void)peer.heard();
  for (std::uint32_t id = 1; id <= 64; ++id) {
    auto asked = ask(id, "POST", "/api/v1/environments");
    asked.body_size = 1;
    peer.say(0, asked);
  }
  CHECK(peer.heard().empty());
  peer.say(0, ask(65, "GET", "/api/v1/environments"));
  CHECK(peer.hear<wire::response>().status == 429);
  peer.say(1, wire::body{0, wire::whole("{")});
  CHECK(peer.hear<wire::response>().status == 400);
  peer.say(0, ask(66, "GET", "/api/v1/environments"));
  CHECK(peer.hear<wire::response>().status == 200);
}

TEST_CASE("environment channel: the present state, then each change, for its owner only",
          "[gateway]") {
  ws_world world;
  const auto id = world.below.make_environment("web");
  ws_peer peer(world, true);
  peer.hello();
  (void)peer.heard();
  peer.say(1, watch(wire::target::environment, id));
  auto heard = peer.heard();
  REQUIRE(heard.size() == 2);
  CHECK(std::get<wire::opened>(heard[0].what).status == "RUNNING");
  const auto now = std::get<wire::environment_state>(heard[1].what);
  CHECK(boost::json::parse(now.body).at("name").as_string() == "web");
  CHECK(world.below.call("POST", "/api/v1/environments/web/stop")->status() < 300);
  std::uint64_t version = now.version;
  std::string status;
  for (const auto& one : peer.heard()) {
    const auto& state = std::get<wire::environment_state>(one.what);
    CHECK(state.version > version);
    version = state.version;
    status = std::string(boost::json::parse(state.body).at("status").as_string());
  }
  CHECK(status == "STOPPED");
  auto seen = watch(wire::target::environment, id);
  seen.from = version;
  peer.say(2, seen);
  heard = peer.heard();
  REQUIRE(heard.size() == 1);
  CHECK(std::holds_alternative<wire::opened>(heard[0].what));
  const auto other = world.below.make_account("eve");
  ws_peer eve(world, true);
  eve.say(0, wire::hello{other, "", "", false});
  (void)eve.heard();
  eve.say(1, watch(wire::target::environment, id));
  CHECK(eve.hear<wire::closed>().code == "not_found");
}

TEST_CASE("environment channel: a client that does not read gets the newest state, not each one",
          "[gateway]") {
  ws_world world;
  const auto id = world.below.make_environment("web");
  ws_peer peer(world, false);
  peer.hello();
  peer.say(1, watch(wire::target::environment, id));
  (void)peer.heard();
  peer.transport->stuck = true;
  for (int i = 0; i < 20; ++i) {
    CHECK(world.below.call("POST", "/api/v1/environments/web/stop")->status() < 300);
    CHECK(world.below.call("POST", "/api/v1/environments/web/start")->status() < 300);
    world.run();
  }
  peer.transport->stuck = false;
  peer.transport->finish_write();
  std::vector<std::uint64_t> versions;
  for (const auto& one : peer.heard())
    versions.push_back(std::get<wire::environment_state>(one.what).version);
  CHECK(versions.size() <= 3);
  CHECK(std::is_sorted(versions.begin(), versions.end()));
  CHECK(boost::json::parse(world.below.call("GET", "/api/v1/environments/web")->given->body)
            .as_object()
            .at("environment")
            .at("version")
            .to_number<std::uint64_t>() == versions.back());
}

TEST_CASE("feed channel: what happened behind the cursor, then what happens, resumed without loss",
          "[gateway]") {
  const auto partitions = GENERATE(1U, 5U);
  ws_world world{partitions};
  world.below.make_environment("web");
  const auto other = world.below.make_account("eve");
  world.below.make_environment("hers", other);
  std::string cursor = gateway::position_text({0, 0});
  std::vector<std::string> types;
  const auto note = [&](const std::vector<wire::frame>& frames) {
    for (const auto& one : frames)
      if (const auto* event = std::get_if<wire::feed_event>(&one.what)) {
        CHECK(event->body.find("hers") == std::string::npos);
        types.push_back(event->body);
        cursor = event->after;
      }
  };
  {
    ws_peer peer(world, false);
    peer.hello();
    (void)peer.heard();
    peer.say(1, watch(wire::target::feed, "", cursor));
    note(peer.heard());
  }
  const auto before = types.size();
  CHECK(before >= 5);
  CHECK(world.below.call("POST", "/api/v1/environments/web/stop")->status() < 300);
  {
    ws_peer peer(world, true);
    peer.hello();
    (void)peer.heard();
    peer.say(1, watch(wire::target::feed, "", cursor));
    note(peer.heard());
    CHECK(types.size() > before);
    const auto stopped = types.size();
    CHECK(world.below.call("POST", "/api/v1/environments/web/start")->status() < 300);
    note(peer.heard());
    CHECK(types.size() > stopped);
  }
  std::sort(types.begin(), types.end());
  CHECK(std::adjacent_find(types.begin(), types.end()) == types.end());
  ws_peer now(world, false);
  now.hello();
  (void)now.heard();
  now.say(1, watch(wire::target::feed, ""));
  CHECK(now.hear<wire::opened>().after == gateway::cursor_text(heads_of(world.below.journal)));
  for (const auto& unknown : {std::to_string(partitions) + ".1", std::string("0.9999")}) {
    now.say(2, watch(wire::target::feed, "", unknown));
    CHECK(now.hear<wire::closed>().code == "cursor_expired");
  }
}

TEST_CASE("feed channel: a reader that comes and goes gets each event of each partition once",
          "[gateway]") {
  ws_world world{7};
  std::string cursor = gateway::position_text({0, 0});
  std::vector<std::string> heard;
  for (int visit = 0; visit < 12; ++visit) {
    world.below.make_environment("made-" + std::to_string(visit));
    ws_peer peer(world, visit % 2 == 0);
    peer.hello();
    (void)peer.heard();
    peer.say(1, watch(wire::target::feed, "", cursor));
    if (visit % 3 == 0) world.below.make_environment("more-" + std::to_string(visit));
    for (const auto& one : peer.heard())
      if (const auto* event = std::get_if<wire::feed_event>(&one.what)) {
        const auto body = boost::json::parse(event->body).as_object();
        heard.push_back(std::string(body.at("stream").as_string()) + '#' +
                        std::to_string(body.at("version").to_number<std::uint64_t>()));
        cursor = event->after;
      }
    std::size_t expected = 0;
    const auto ends = heads_of(world.below.journal);
    for (const auto& end : ends.places())
      for (const auto& happened : world.below.journal.read({end.partition, 1}, end.offset).value())
        expected += happened.body.events.size();
    CHECK(heard.size() == expected);
  }
  std::sort(heard.begin(), heard.end());
  CHECK(std::adjacent_find(heard.begin(), heard.end()) == heard.end());
  CHECK(cursor.find('_') != std::string::npos);
}
