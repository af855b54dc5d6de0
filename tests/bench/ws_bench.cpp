// What a client of a running berthd sees over the WebSocket: keystroke echo, bulk output, a
// keystroke beside a flood, ^C under a flood, idle sockets. Prints one JSON object.
//   ws_bench --server 127.0.0.1:7780 --token-file DIR/admin-token [--pid BERTHD] [--idle N] [--mib
//   N] [--zstd]
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/json.hpp>

#include "gateway/client/client.hpp"
#include "gateway/ws/binary_codec.hpp"

namespace {

using namespace berth;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
namespace json = boost::json;

double us_since(clock_type::time_point then) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - then).count();
}

[[noreturn]] void fail(const std::string& why) {
  std::cerr << "ws_bench: " << why << '\n';
  std::exit(1);
}

// Counts and acknowledges; can be told to read at a pace.
class screen : public client::terminal_listener {
 public:
  void output(std::uint64_t offset, std::string_view bytes) override {
    {
      const std::scoped_lock held(mutex_);
      if (offset != end_ && !first_) holes_ = true;
      first_ = false;
      end_ = offset + bytes.size();
      tail_.append(bytes);
      if (tail_.size() > 8192) tail_.erase(0, tail_.size() - 4096);
    }
    if (pace_bytes_per_second_ > 0)
      std::this_thread::sleep_for(std::chrono::duration<double>(static_cast<double>(bytes.size()) /
                                                                pace_bytes_per_second_));
    changed_.notify_all();
  }
  void ended(std::optional<int>, int, const std::string&) override {}
  void closed(const client::client_error& why) override {
    const std::scoped_lock held(mutex_);
    over_ = why.code + ": " + why.message;
    changed_.notify_all();
  }
  template <class F>
  void wait(F ready) {
    std::unique_lock held(mutex_);
    if (!changed_.wait_for(held, 120s, [&] {
          return ready(*this) || (!over_.empty() && !over_.starts_with("ended"));
        }))
      fail("nothing came for 120 s");
    if (!ready(*this)) fail(over_);
  }
  std::uint64_t end() const { return end_; }
  const std::string& tail() const { return tail_; }
  bool over() const { return !over_.empty(); }
  bool holes() const { return holes_; }
  void pace(double bytes_per_second) { pace_bytes_per_second_ = bytes_per_second; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t end_{};
  bool first_{true};
  bool holes_{};
  std::string tail_;
  std::string over_;
  std::atomic<double> pace_bytes_per_second_{};
};

struct opened {
  std::shared_ptr<screen> shown = std::make_shared<screen>();
  std::unique_ptr<client::terminal> handle;
};

class bench {
 public:
  explicit bench(client::client_options options)
      : options_(std::move(options)), client_(client::client::start(options_)) {
    if (auto ready = client_->wait_ready(10s); !ready) fail(ready.error().message);
    const auto name =
        "bench-" + std::to_string(clock_type::now().time_since_epoch().count() % 1'000'000);
    const auto made = ask("POST", "/api/v1/environments?wait=true",
                          {{"name", name}, {"instance_type", "compute"}});
    environment_ = std::string(made.at("environment").at("id").as_string());
  }
  ~bench() {
    (void)client_->request_wait("DELETE", "/api/v1/environments/" + environment_, {}, "", 30s);
  }

  std::string make_terminal(const std::string& script) {
    const auto made =
        ask("POST", "/api/v1/environments/" + environment_ + "/terminals",
            {{"cols", 80}, {"rows", 24}, {"command", json::array{"/bin/sh", "-c", script}}});
    return std::string(made.at("terminal").at("id").as_string());
  }
  opened open(const std::string& script, std::uint64_t window = 256 * 1024) {
    opened out;
    client::terminal_options how;
    how.id = make_terminal(script);
    how.window_bytes = window;
    how.consume_on_return = true;
    out.handle = client_->open_terminal(how, out.shown);
    return out;
  }

  json::object echo(opened& on, int keys) {
    std::vector<double> us;
    for (int i = 0; i < keys; ++i) {
      const auto before = on.shown->end();
      const auto start = clock_type::now();
      on.handle->input("k");
      on.shown->wait([&](const screen& s) { return s.end() > before; });
      us.push_back(us_since(start));
    }
    std::sort(us.begin(), us.end());
    return {{"keys", keys},
            {"p50_us", us[us.size() / 2]},
            {"p99_us", us[us.size() * 99 / 100]},
            {"max_us", us.back()}};
  }

  opened raw_cat() {
    auto out = open("stty raw -echo; printf r; exec cat");
    out.shown->wait([](const screen& s) { return s.end() >= 1; });
    return out;
  }

  json::object bulk(std::uint64_t mib) {
    auto on =
        open("head -c " + std::to_string(mib << 20) + " /dev/zero | tr '\\0' 'x'", 1024 * 1024);
    const auto start = clock_type::now();
    on.shown->wait([](const screen& s) { return s.over(); });
    const auto seconds = us_since(start) / 1e6;
    return {{"bytes", on.shown->end()},
            {"mb_per_s", static_cast<double>(on.shown->end()) / seconds / 1e6},
            {"complete", on.shown->end() == mib << 20 && !on.shown->holes()}};
  }

  json::object beside_flood() {
    auto quiet = raw_cat();
    auto flood = open("exec yes");
    flood.shown->wait([](const screen& s) { return s.end() > 1'000'000; });
    const auto before = flood.shown->end();
    const auto start = clock_type::now();
    auto out = echo(quiet, 500);
    out["flood_mb_per_s"] = static_cast<double>(flood.shown->end() - before) / us_since(start);
    return out;
  }

  json::object interrupt() {
    auto on = open("exec bash --norc -i");
    on.shown->pace(8e6);
    on.handle->input("PS1='READY> '; yes\r");
    on.shown->wait([](const screen& s) { return s.end() > 4'000'000; });
    const auto before = on.shown->end();
    const auto start = clock_type::now();
    on.handle->input("\x03");
    on.shown->wait([](const screen& s) {
      return s.tail().find("READY> ", s.tail().size() > 200 ? s.tail().size() - 200 : 0) !=
             std::string::npos;
    });
    return {{"ms_to_prompt", us_since(start) / 1e3}, {"bytes_after", on.shown->end() - before}};
  }

 private:
  json::object ask(const std::string& method, const std::string& path, const json::object& body) {
    const auto answer = client_->request_wait(method, path, {{"content-type", "application/json"}},
                                              json::serialize(body), 60s);
    if (!answer) fail(path + ": " + answer.error().message);
    if (answer->status >= 300) fail(path + ": " + answer->body);
    return json::parse(answer->body).as_object();
  }
  client::client_options options_;
  std::unique_ptr<client::client> client_;
  std::string environment_;
};

std::uint64_t resident_kib(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  return 0;
}

// Sockets that said hello and opened one terminal, then nothing.
json::object idle_sockets(const client::client_options& options, int count, int pid,
                          const std::string& terminal) {
  namespace beast = boost::beast;
  boost::asio::io_context io;
  std::vector<std::unique_ptr<beast::websocket::stream<beast::tcp_stream>>> sockets;
  const auto before = resident_kib(pid);
  const auto start = clock_type::now();
  for (int i = 0; i < count; ++i) {
    // Many addresses on loopback, for there are only so many ports on one.
    auto socket = std::make_unique<beast::websocket::stream<beast::tcp_stream>>(io);
    auto& tcp = socket->next_layer().socket();
    tcp.open(boost::asio::ip::tcp::v4());
    tcp.bind({boost::asio::ip::make_address_v4("127.0.1." + std::to_string(1 + i % 200)), 0});
    socket->next_layer().connect({boost::asio::ip::make_address(options.host), options.port});
    socket->set_option(
        beast::websocket::stream_base::decorator([&](beast::websocket::request_type& request) {
          request.set(beast::http::field::sec_websocket_protocol, "berth.v1");
          request.set(beast::http::field::authorization, "Bearer " + options.token);
        }));
    socket->handshake(options.host, "/api/v1/ws");
    socket->binary(true);
    wire::open asked;
    asked.id = terminal;
    asked.from = wire::from_end;
    auto message = wire::encode_message({0, wire::hello{}});
    if (!terminal.empty()) message += wire::encode_message({1, asked});
    socket->write(boost::asio::buffer(message));
    beast::flat_buffer answer;
    socket->read(answer);
    sockets.push_back(std::move(socket));
  }
  const auto seconds = us_since(start) / 1e6;
  std::this_thread::sleep_for(2s);
  const auto after = resident_kib(pid);
  return {{"sockets", count},
          {"open_per_s", count / seconds},
          {"rss_kib_each", static_cast<double>(after - before) / count}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"WebSocket benchmarks against a running berthd"};
  std::string server = "127.0.0.1:7780", token_file;
  int pid = 0, idle = 0;
  std::uint64_t mib = 64;
  bool zstd = false;
  app.add_option("--server", server);
  app.add_option("--token-file", token_file)->required();
  app.add_option("--pid", pid, "of berthd, to read its memory");
  app.add_option("--idle", idle, "idle sockets to open");
  app.add_option("--mib", mib, "bulk output");
  app.add_flag("--zstd", zstd);
  CLI11_PARSE(app, argc, argv);
  client::client_options options;
  options.host = server.substr(0, server.rfind(':'));
  options.port = static_cast<std::uint16_t>(std::stoi(server.substr(server.rfind(':') + 1)));
  options.zstd = zstd;
  std::getline(std::ifstream(token_file) >> std::ws, options.token);
  bench run(options);
  json::object out;
  auto cat = run.raw_cat();
  (void)run.echo(cat, 50);
  out["echo"] = run.echo(cat, 1000);
  out["bulk"] = run.bulk(mib);
  out["echo_beside_flood"] = run.beside_flood();
  out["interrupt"] = run.interrupt();
  if (idle > 0) {
    out["idle"] = idle_sockets(options, idle, pid, run.make_terminal("exec sleep 1000"));
    out["echo_beside_idle"] = run.echo(cat, 500);
  }
  std::cout << json::serialize(out) << '\n';
}
