// The C++ client against the real listener on loopback: resuming, input once, requests, refusals,
// hostile messages.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>

#include <boost/asio/connect.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "gateway/client/client.hpp"
#include "gateway/gateway.hpp"
#include "gateway/ws/binary_codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/cuttable_proxy.hpp"
#include "tests/support/gateway_world.hpp"
#include "tests/support/random_frames.hpp"
#include "tests/support/terminal_kernel.hpp"

using namespace berth;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto deadline = 20s;

struct served {
  gateway_world below;
  terminal_kernel kernel{below.kernel};
  gateway::services given{kernel,
                          below.views,
                          below.journal,
                          below.bulk,
                          below.host,
                          below.clock,
                          gateway_world::key(),
                          [] { return std::string(); },
                          [] { return true; },
                          below.services.when_projected};
  gateway::gateway front{gateway::gateway_options{}, given};
  std::uint16_t port = *front.start();
  account_id account = gateway::account_id_of("admin");
  terminal_id terminal{derived_id("term", account.value, uuid::derived("test", "1"))};

  served() { kernel.add(terminal, account); }
  client::client_options options(std::uint16_t by = 0) const {
    client::client_options out;
    out.port = by ? by : port;
    out.token = below.admin_token;
    return out;
  }
};

struct collector : client::terminal_listener {
  std::mutex mutex;
  std::condition_variable changed;
  std::string bytes;
  std::uint64_t applied{};
  bool contiguous{true};
  std::optional<int> exit_code;
  std::string over;

  void output(std::uint64_t offset, std::string_view more) override {
    const std::scoped_lock held(mutex);
    contiguous = contiguous && offset == bytes.size();
    bytes += more;
    changed.notify_all();
  }
  void snapshot(std::uint64_t offset, std::uint16_t, std::uint16_t, std::string_view) override {
    const std::scoped_lock held(mutex);
    bytes.assign(offset, '.');
    changed.notify_all();
  }
  void input_applied(std::uint64_t sequence) override {
    const std::scoped_lock held(mutex);
    applied = sequence;
    changed.notify_all();
  }
  void ended(std::optional<int> code, int, const std::string&) override { exit_code = code; }
  void closed(const client::client_error& why) override {
    const std::scoped_lock held(mutex);
    over = why.code;
    changed.notify_all();
  }
  template <class F>
  bool wait(F ready) {
    std::unique_lock held(mutex);
    return changed.wait_for(held, deadline, ready);
  }
};

std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::uint64_t seed = 3;
  for (auto& c : out)
    c = static_cast<char>((seed = seed * 6364136223846793005 + 1442695040888963407) >> 60);
  return out;
}

}  // namespace

TEST_CASE("client: output and typed input survive a connection that is cut again and again",
          "[gateway]") {
  served server;
  cuttable_proxy proxy(server.port);
  const auto all = noise(4'000'000);
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options(proxy.port()));
  REQUIRE(client->wait_ready(10s));
  const auto session = client->session();
  client::terminal_options how;
  how.id = server.terminal.value;
  how.consume_on_return = true;
  auto terminal = client->open_terminal(how, listener);
  std::string typed;
  for (int i = 0; i < 40; ++i) {
    server.kernel.print(server.terminal,
                        all.substr(static_cast<std::size_t>(i) * 100'000, 100'000));
    for (int key = 0; key < 25; ++key) {
      const auto text = std::to_string(i) + "." + std::to_string(key) + " ";
      while (!terminal->input(text)) std::this_thread::yield();
      typed += text;
    }
    if (i % 4 == 3) {
      proxy.cut();
      // Answered over the next connection: the next cut meets one that is up.
      CHECK(client->request_wait("GET", "/api/v1/environments", {}, "", 10s));
    }
  }
  CHECK(listener->wait(
      [&] { return listener->bytes.size() == all.size() && listener->applied == 1000; }));
  CHECK(listener->contiguous);
  CHECK(listener->bytes == all);
  CHECK(server.kernel.typed(server.terminal) == typed);
  CHECK(proxy.accepted() >= 11);
  CHECK(client->session() == session);
  server.kernel.end(server.terminal, 4);
  CHECK(listener->wait([&] { return !listener->over.empty(); }));
  CHECK(listener->over == "ended");
  CHECK(listener->exit_code == 4);
}

TEST_CASE("client: input that is refused for a while is sent again, in order", "[gateway]") {
  served server;
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  auto terminal = client->open_terminal({server.terminal.value}, listener);
  CHECK(terminal->input("a"));
  REQUIRE(listener->wait([&] { return listener->applied == 1; }));
  server.kernel.with(server.terminal,
                     [](auto& t) { t.refuse_input = reject(rejection_code::unavailable, "away"); });
  for (const auto* key : {"b", "c", "d"}) CHECK(terminal->input(key));
  CHECK(listener->wait([&] { return listener->applied == 4; }));
  CHECK(server.kernel.typed(server.terminal) == "abcd");
  CHECK_FALSE(terminal->input(std::string(65'537, 'x')));
}

TEST_CASE("client: requests have answers, over a cut too, and a command is executed once",
          "[gateway]") {
  served server;
  cuttable_proxy proxy(server.port);
  const auto client = client::client::start(server.options(proxy.port()));
  REQUIRE(client->wait_ready(10s));
  for (int i = 0; i < 20; ++i) {
    if (i % 5 == 4) proxy.cut();
    const auto made = client->request_wait(
        "POST", "/api/v1/environments", {{"content-type", "application/json"}},
        R"({"name":"e)" + std::to_string(i) + R"(","instance_type":"lightweight"})", 10s);
    REQUIRE(made);
    CHECK(made->status == 201);
  }
  const auto listed = client->request_wait("GET", "/api/v1/environments?limit=100", {}, "", 10s);
  REQUIRE(listed);
  CHECK(boost::json::parse(listed->body).at("items").as_array().size() == 20);
}

TEST_CASE("client: after a screen that used up its credit it gets what follows", "[gateway]") {
  served server;
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  REQUIRE(client->wait_ready(10s));
  client::terminal_options how;
  how.id = server.terminal.value;
  how.consume_on_return = true;
  const auto viewing = client->open_terminal(how, listener);
  server.kernel.print(server.terminal, "first");
  REQUIRE(listener->wait([&] { return listener->bytes == "first"; }));
  // Until it has told all it got: no credit is due any more.
  const auto consumed = [&] {
    return server.kernel.with(server.terminal,
                              [](auto& t) { return t.viewers.begin()->second.consumed; });
  };
  for (const auto until = std::chrono::steady_clock::now() + deadline;
       consumed() < 5 && std::chrono::steady_clock::now() < until;)
    std::this_thread::sleep_for(1ms);
  REQUIRE(consumed() == 5);
  constexpr std::size_t left_out = 8 << 20;
  server.kernel.overtake(server.terminal, left_out);
  REQUIRE(listener->wait([&] { return listener->bytes.size() == left_out + 5; }));
  server.kernel.print(server.terminal, "last");
  CHECK(listener->wait([&] { return listener->bytes.ends_with("last"); }));
}

TEST_CASE("client: while somebody types in one terminal another gives way, and gets everything",
          "[gateway]") {
  served server;
  const terminal_id other{derived_id("term", server.account.value, uuid::derived("test", "2"))};
  server.kernel.add(other, server.account);
  const auto typed = std::make_shared<collector>();
  const auto flooded = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  REQUIRE(client->wait_ready(10s));
  client::terminal_options how;
  how.consume_on_return = true;
  how.id = server.terminal.value;
  const auto typing = client->open_terminal(how, typed);
  how.id = other.value;
  const auto flood = client->open_terminal(how, flooded);
  constexpr std::size_t piece = 64 * 1024;
  const auto all = noise(20 * piece);
  // How far the terminal may run ahead of its reader; a machine that stands still for a second
  // between a key and what follows may see it wide once, not each time.
  std::uint64_t ahead_least = ~std::uint64_t{0};
  for (std::size_t at = 0; at < all.size(); at += piece) {
    REQUIRE(typing->input("k"));
    REQUIRE(typed->wait([&] { return typed->applied == at / piece + 1; }));
    server.kernel.print(other, all.substr(at, piece));
    REQUIRE(flooded->wait([&] { return flooded->bytes.size() == at + piece; }));
    server.kernel.with(other, [&](auto& t) {
      const auto& viewer = t.viewers.begin()->second;
      ahead_least = std::min(ahead_least, viewer.until - viewer.cursor);
    });
  }
  CHECK(flooded->bytes == all);
  CHECK(ahead_least <= piece);
}

TEST_CASE("client: watches an environment and the feed", "[gateway]") {
  served server;
  const auto id = server.below.make_environment("web");
  const auto client = client::client::start(server.options());
  REQUIRE(client->wait_ready(10s));
  std::mutex mutex;
  std::condition_variable changed;
  std::string state, events;
  const auto watching =
      client->watch_environment(id, [&](const client::client_result<client::notice>& now) {
        const std::scoped_lock held(mutex);
        state = now ? now->body : now.error().code;
        changed.notify_all();
      });
  const auto following =
      client->follow_feed("", [&](const client::client_result<client::notice>& now) {
        const std::scoped_lock held(mutex);
        events += now ? now->body : now.error().code;
        changed.notify_all();
      });
  const auto wait = [&](auto ready) {
    std::unique_lock held(mutex);
    return changed.wait_for(held, deadline, ready);
  };
  CHECK(wait([&] { return state.find("RUNNING") != std::string::npos; }));
  REQUIRE(client->request_wait("POST", "/api/v1/environments/web/stop", {}, "", 10s));
  CHECK(wait([&] { return state.find("STOPPED") != std::string::npos; }));
  CHECK(wait([&] { return events.find("stopped") != std::string::npos; }));
}

TEST_CASE("client: gives up where trying again changes nothing, and says why", "[gateway]") {
  served server;
  auto options = server.options();
  options.token = "berth_wrong";
  CHECK(client::client::start(options)->wait_ready(10s).error().code == "unauthenticated");
  options = server.options();
  options.session = "sess_nonsense";
  CHECK(client::client::start(options)->wait_ready(10s).error().code == "not_found");
  options = server.options();
  options.port = 1;
  options.reconnect = false;
  CHECK(client::client::start(options)->wait_ready(10s).error().code == "connect_failed");
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  auto terminal = client->open_terminal({derived_id("term", "nobody", uuid{})}, listener);
  CHECK(listener->wait([&] { return listener->over == "not_found"; }));
}

TEST_CASE("client: a server that goes away says so, and another on its port is found again",
          "[gateway]") {
  served server;
  server.kernel.print(server.terminal, "before ");
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  auto terminal = client->open_terminal({server.terminal.value}, listener);
  REQUIRE(listener->wait([&] { return listener->bytes == "before "; }));
  server.front.stop();
  server.kernel.print(server.terminal, "and after");
  gateway::gateway_options same;
  same.port = server.port;
  gateway::gateway next{same, server.given};
  REQUIRE(next.start());
  CHECK(listener->wait([&] { return listener->bytes == "before and after"; }));
  CHECK(listener->contiguous);
}

TEST_CASE(
    "listener: hostile messages on a live socket are answered typed or closed, and the server goes "
    "on",
    "[gateway]") {
  namespace beast = boost::beast;
  namespace websocket = beast::websocket;
  served server;
  server.kernel.print(server.terminal, "ready");
  boost::asio::io_context io;
  random_frames random{99};
  std::mt19937_64 dice{99};
  const auto connect = [&](const std::string& protocol, const std::string& token) {
    auto socket = std::make_unique<websocket::stream<beast::tcp_stream>>(io);
    socket->next_layer().connect({boost::asio::ip::address_v4::loopback(), server.port});
    socket->set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      if (!protocol.empty()) request.set(beast::http::field::sec_websocket_protocol, protocol);
      if (!token.empty()) request.set(beast::http::field::authorization, "Bearer " + token);
    }));
    websocket::response_type answer;
    boost::system::error_code failed;
    socket->handshake(answer, "127.0.0.1", "/api/v1/ws", failed);
    return std::pair{std::move(socket), answer.result_int()};
  };
  CHECK(connect("", server.below.admin_token).second == 400);
  CHECK(connect("chat", server.below.admin_token).second == 400);
  CHECK(connect("berth.v1", "wrong").second == 401);
  CHECK(connect("berth.v2, berth.v1", server.below.admin_token).second == 101);

  for (int round = 0; round < 30; ++round) {
    auto [socket, status] = connect("berth.v1", server.below.admin_token);
    REQUIRE(status == 101);
    socket->binary(true);
    boost::system::error_code failed;
    beast::flat_buffer buffer;
    socket->write(boost::asio::buffer(wire::encode_message({0, wire::hello{}})), failed);
    for (int i = 0; i < 20 && !failed; ++i) {
      std::string message = wire::encode_message(random.next());
      for (auto n = dice() % 4; n > 0; --n)
        message[dice() % message.size()] = static_cast<char>(dice());
      if (round % 10 == 9 && i == 10) message.assign(300'000, 'x');
      socket->write(boost::asio::buffer(message), failed);
    }
    socket->write(boost::asio::buffer(wire::encode_message({0, wire::ping{4711, ""}})), failed);
    bool answered = false;
    while (!failed && !answered) {
      buffer.clear();
      socket->read(buffer, failed);
      if (failed) break;
      const auto raw =
          wire::split_message({static_cast<const char*>(buffer.cdata().data()), buffer.size()});
      REQUIRE(raw);
      for (const auto& one : *raw) {
        const auto what = wire::parse_frame(one.header, one.payload);
        REQUIRE(what);
        const auto* pong = std::get_if<wire::pong>(&what->what);
        answered = answered || (pong && pong->offset == 4711);
      }
    }
    if (!answered && failed == websocket::error::closed)
      CHECK((socket->reason().code == 4400 ||
             socket->reason().code == websocket::close_code::too_big));
  }
  const auto listener = std::make_shared<collector>();
  const auto client = client::client::start(server.options());
  auto terminal = client->open_terminal({server.terminal.value}, listener);
  CHECK(listener->wait([&] { return listener->bytes == "ready"; }));
}
