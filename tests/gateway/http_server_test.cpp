#include "tests/support/catch.hpp"

#include <condition_variable>
#include <thread>

#include "gateway/gateway.hpp"
#include "tests/support/gateway_world.hpp"
#include "tests/support/http_client.hpp"

using namespace berth;
using namespace std::chrono_literals;
using berth::gateway::gateway_options;
using berth::testing::gateway_world;
using berth::testing::http_client;

namespace {

gateway_options quick_options() {
  gateway_options options;
  options.limits.stop_grace = 200ms;
  return options;
}

struct server {
  explicit server(gateway_options options = quick_options())
      : front(std::move(options), world.services) {
    const auto started = front.start();
    if (!started) FAIL(started.error().message);
    port = *started;
  }
  std::string get(const std::string& target, const std::string& more = {}) const {
    return "GET " + target + " HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " +
           world.admin_token + "\r\n" + more + "\r\n";
  }
  std::string post(const std::string& target, const std::string& body) const {
    return "POST " + target + " HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " +
           world.admin_token +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  gateway_world world;
  gateway::gateway front;
  std::uint16_t port{};
};

}  // namespace

TEST_CASE("http: a connection serves one request after the other", "[gateway]") {
  server here;
  http_client client(here.port);
  client.send(here.post("/api/v1/environments", R"({"name":"web","instance_type":"lightweight"})"));
  const auto made = client.read();
  REQUIRE(made);
  CHECK(made->status == 201);
  CHECK(made->headers.at("Content-Type") == "application/json");
  client.send(here.get("/api/v1/environments/web"));
  const auto shown = client.read();
  REQUIRE(shown);
  CHECK(shown->status == 200);
  CHECK(shown->body.find("RUNNING") != std::string::npos);
}

TEST_CASE("http: pipelined requests are answered in order", "[gateway]") {
  server here;
  http_client client(here.port);
  std::string all;
  for (int i = 0; i < 20; ++i)
    all += here.get(i % 2 ? "/health" : "/nope", "X-Request-Id: r" + std::to_string(i) + "\r\n");
  client.send(all);
  for (int i = 0; i < 20; ++i) {
    const auto answer = client.read();
    REQUIRE(answer);
    CHECK(answer->status == (i % 2 ? 200 : 404));
    CHECK(answer->headers.at("X-Request-Id") ==
          uuid::derived("request-id", "r" + std::to_string(i)).text());
  }
}

TEST_CASE("http: HEAD has the header of GET and no body", "[gateway]") {
  server here;
  http_client client(here.port);
  client.send(here.get("/openapi.yaml"));
  const auto full = client.read();
  REQUIRE(full);
  client.send("HEAD /openapi.yaml HTTP/1.1\r\nHost: test\r\n\r\n" + here.get("/health"));
  const auto head = client.read(true);
  REQUIRE(head);
  CHECK(head->headers.at("Content-Length") == full->headers.at("Content-Length"));
  const auto next = client.read();
  REQUIRE(next);
  CHECK(next->body == R"({"status":"ok"})");
}

TEST_CASE("http: the schemas of the log are served as they are", "[gateway]") {
  server here;
  http_client client(here.port);
  client.send(here.get("/schemas/commit.fbs") + here.get("/schemas/openapi.yaml"));
  const auto schema = client.read();
  REQUIRE(schema);
  CHECK(schema->status == 200);
  CHECK(schema->body.find("table CommitBody") != std::string::npos);
  const auto other = client.read();
  REQUIRE(other);
  CHECK(other->status == 404);
}

TEST_CASE("http: what is no request is answered 400 and closed", "[gateway]") {
  server here;
  const auto wrong = GENERATE(
      as<std::string>{}, "nonsense\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
      "GET /health HTTP/1.1\r\n\r\n", "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET http://test/health HTTP/1.1\r\nHost: test\r\n\r\n",
      "GET /%ff HTTP/1.1\r\nHost: test\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost: test\r\nA b: c\r\n\r\n",
      "POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
      "POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "POST /health HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "\x16\x03\x01\x02\x01 TLS\r\n\r\n");
  http_client client(here.port);
  client.send(wrong);
  const auto answer = client.read();
  CAPTURE(wrong);
  REQUIRE(answer);
  CHECK(answer->status == 400);
  CHECK(boost::json::parse(answer->body).at("code") == "bad_request");
  CHECK(client.closed());
}

TEST_CASE("http: what is too large is refused with its name before it is read", "[gateway]") {
  server here;
  {
    http_client client(here.port);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n");
    const auto answer = client.read();
    REQUIRE(answer);
    CHECK(answer->status == 431);
  }
  {
    http_client client(here.port);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 999999999999\r\n\r\n");
    const auto answer = client.read();
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(boost::json::parse(answer->body).at("code") == "payload_too_large");
  }
  {
    auto options = quick_options();
    options.limits.body_bytes_max = 100;
    server small(options);
    http_client client(small.port);
    client.send(
        "POST /api/v1/environments HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: "
        "chunked\r\n\r\nC8\r\n" +
        std::string(200, ' ') + "\r\n");
    const auto answer = client.read();
    REQUIRE(answer);
    CHECK(answer->status == 413);
  }
}

TEST_CASE("http: bodies held at once are bounded", "[gateway]") {
  auto options = quick_options();
  options.limits.bodies_bytes_max = 100;
  server here(options);
  http_client first(here.port);
  first.send(
      "POST /api/v1/environments HTTP/1.1\r\nHost: test\r\nContent-Length: 90\r\nExpect: "
      "100-continue\r\n\r\n");
  REQUIRE(first.read()->status == 100);
  http_client second(here.port);
  second.send(
      "POST /api/v1/environments HTTP/1.1\r\nHost: test\r\nContent-Length: 90\r\nExpect: "
      "100-continue\r\n\r\n");
  const auto refused = second.read();
  REQUIRE(refused);
  CHECK(refused->status == 429);
  first.send(std::string(90, ' '));
  CHECK(first.read()->status == 401);
  http_client third(here.port);
  third.send(
      "POST /api/v1/environments HTTP/1.1\r\nHost: test\r\nContent-Length: 90\r\nExpect: "
      "100-continue\r\n\r\n");
  CHECK(third.read()->status == 100);
}

TEST_CASE("http: a client that dribbles its header or body is cut at the deadline", "[gateway]") {
  auto options = quick_options();
  options.limits.header_max = 100ms;
  options.limits.body_max = 100ms;
  options.limits.idle_max = 100ms;
  server here(options);
  for (const char* begin :
       {"GET / HT", "", "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc"}) {
    http_client client(here.port);
    const auto from = std::chrono::steady_clock::now();
    client.send(begin);
    CHECK(client.closed());
    CHECK(std::chrono::steady_clock::now() - from < 2s);
  }
}

TEST_CASE("http: chunked bodies are read, HTTP/1.0 is answered and closed", "[gateway]") {
  server here;
  http_client client(here.port);
  client.send("POST /api/v1/environments HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " +
              here.world.admin_token +
              "\r\nTransfer-Encoding: "
              "chunked\r\n\r\n10\r\n{\"name\":\"web\",\"i\r\n1e\r\nnstance_type\":\"lightweight\" "
              "} \r\n0\r\n\r\n");
  const auto made = client.read();
  REQUIRE(made);
  CHECK(made->status == 201);
  http_client old(here.port);
  old.send("GET /health HTTP/1.0\r\n\r\n");
  const auto answer = old.read();
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(old.closed());
}

TEST_CASE("http: a recording is streamed in chunks, and to HTTP/1.0 until the end", "[gateway]") {
  server here;
  http_client client(here.port);
  client.send(here.post("/api/v1/environments", R"({"name":"web","instance_type":"lightweight"})"));
  REQUIRE(client.read()->status == 201);
  client.send(here.post("/api/v1/environments/web/terminals", "{}"));
  const auto opened = client.read();
  REQUIRE(opened->status == 201);
  const terminal_id id{
      std::string(boost::json::parse(opened->body).at("terminal").at("id").as_string())};
  for (int i = 0; i < 10; ++i)
    here.world.bulk.append(id, here.world.bulk.extent(id).next,
                           share(std::string(100'000, static_cast<char>('a' + i))),
                           here.world.clock.now());
  client.send(here.get("/api/v1/terminals/" + id.value + "/recording"));
  const auto recording = client.read();
  REQUIRE(recording);
  CHECK(recording->headers.at("Transfer-Encoding") == "chunked");
  CHECK(std::count(recording->body.begin(), recording->body.end(), 'j') >= 100'000);
  CHECK(recording->body.back() == '\n');
  http_client old(here.port);
  old.send("GET /api/v1/terminals/" + id.value + "/recording HTTP/1.0\r\nAuthorization: Bearer " +
           here.world.admin_token + "\r\n\r\n");
  const auto same = old.read();
  REQUIRE(same);
  CHECK(same->body == recording->body);
  client.send(here.get("/health"));
  CHECK(client.read()->status == 200);
}

TEST_CASE("http: reads that wait for the disk hold up no other connection", "[gateway]") {
  // Reads wait until they are let go.
  class waiting_bulk : public memory_bulk_log {
   public:
    journal_result<std::string> read(const terminal_id& id, std::uint64_t from,
                                     std::size_t bytes_max) override {
      ++waiting;
      std::unique_lock lock{mutex_};
      // Not an assertion: this is not the test's thread.
      if (!let_go_.wait_for(lock, 10s, [this] { return is_free_; }))
        return journal_error{journal_errc::io, "was not let go", std::nullopt};
      return memory_bulk_log::read(id, from, bytes_max);
    }
    void let_go() {
      const std::lock_guard lock{mutex_};
      is_free_ = true;
      let_go_.notify_all();
    }
    std::atomic<int> waiting{};

   private:
    std::mutex mutex_;
    std::condition_variable let_go_;
    bool is_free_{};
  } bulk;
  gateway_world world;
  const auto account = gateway::account_id_of("admin");
  const terminal_id id{derived_id("term", account.value, uuid{})};
  REQUIRE(world.kernel.system_ask<terminal::aggregate>(
      id.value, terminal::open{account, environment_id{"env_1"}, 80, 24, {}, {}, {}, 0}));
  bulk.append(id, 0, share("output"), world.clock.now());
  gateway::services given{world.kernel,
                          world.views,
                          world.journal,
                          bulk,
                          world.host,
                          world.clock,
                          world.services.server_key,
                          world.services.metrics,
                          world.services.ready,
                          world.services.when_projected};
  gateway::gateway front{quick_options(), given};
  const auto port = front.start();
  REQUIRE(port);
  const auto ask = "GET /api/v1/terminals/" + id.value +
                   "/output?from=0 HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " +
                   world.admin_token + "\r\n\r\n";
  std::vector<std::unique_ptr<http_client>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<http_client>(*port));
    readers.back()->send(ask);
  }
  for (int i = 0; i < 1'000 && bulk.waiting < 2; ++i) std::this_thread::sleep_for(5ms);
  CHECK(bulk.waiting == 2);
  for (int i = 0; i < 4; ++i) {
    http_client other(*port);
    other.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n");
    const auto answer = other.read();
    REQUIRE(answer);
    CHECK(answer->status == 200);
  }
  bulk.let_go();
  for (auto& reader : readers) {
    const auto answer = reader->read();
    REQUIRE(answer);
    CHECK(answer->body == "output");
  }
}

TEST_CASE("http: beyond the bound of connections the next one is told so", "[gateway]") {
  auto options = quick_options();
  options.limits.connections_max = 2;
  server here(options);
  http_client first(here.port);
  http_client second(here.port);
  first.send(here.get("/health"));
  second.send(here.get("/health"));
  REQUIRE(first.read()->status == 200);
  REQUIRE(second.read()->status == 200);
  http_client third(here.port);
  const auto refused = third.read();
  REQUIRE(refused);
  CHECK(refused->status == 503);
  CHECK(boost::json::parse(refused->body).at("code") == "overloaded");
}

TEST_CASE("http: an address that others reach needs TLS, and what is wrong with it is named",
          "[gateway]") {
  gateway_world world;
  const auto refused = [&](auto change) {
    auto options = quick_options();
    change(options);
    gateway::gateway front(options, world.services);
    const auto started = front.start();
    return started ? std::string() : started.error().message;
  };
  CHECK(refused([](auto& o) { o.address = "0.0.0.0"; }).find("TLS") != std::string::npos);
  CHECK(refused([](auto& o) { o.address = "localhost:80"; }).find("not an IP address") !=
        std::string::npos);
  CHECK(refused([](auto& o) { o.tls_key_file = "/nowhere"; }).find("both") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.tls_certificate_file = o.tls_key_file = "/nowhere";
        }).find("/nowhere") != std::string::npos);
  server here;
  CHECK(refused([&](auto& o) { o.port = here.port; }).find("cannot listen") != std::string::npos);
}

TEST_CASE("http: stop ends idle and waiting connections within its grace", "[gateway]") {
  server here;
  http_client idle(here.port);
  http_client waiting(here.port);
  waiting.send(here.get("/api/v1/events?after=now&wait_ms=30000"));
  idle.send(here.get("/health"));
  REQUIRE(idle.read()->status == 200);
  const auto from = std::chrono::steady_clock::now();
  here.front.stop();
  CHECK(std::chrono::steady_clock::now() - from < 2s);
  CHECK(idle.closed());
  CHECK(waiting.closed());
}

TEST_CASE("http: many clients at once get their own answers", "[gateway]") {
  server here;
  std::atomic<int> good{};
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      http_client client(here.port, 20s);
      for (int i = 0; i < 25; ++i) {
        const auto name = "e" + std::to_string(c) + "-" + std::to_string(i);
        client.send(here.post("/api/v1/environments",
                              R"({"name":")" + name + R"(","instance_type":"lightweight"})"));
        const auto made = client.read();
        if (made && made->status == 201 && made->body.find('"' + name + '"') != std::string::npos)
          ++good;
      }
    });
  for (auto& client : clients) client.join();
  CHECK(good == 200);
}
