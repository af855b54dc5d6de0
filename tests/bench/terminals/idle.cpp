// What costs nothing when nothing happens: sockets, terminals; and a fleet that prints a little.
#include <thread>

#include <boost/asio/io_context.hpp>

#include "gateway/ws/binary_codec.hpp"
#include "tests/bench/terminals/raw_socket.hpp"
#include "tests/bench/terminals/scenarios.hpp"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

wire::open open_from_end(const std::string& terminal) {
  wire::open open;
  open.id = terminal;
  open.from = wire::from_end;
  return open;
}

// Answers pings for `seconds`; the bytes that came over TCP meanwhile.
std::uint64_t bytes_while_idle(boost::asio::io_context& io, raw_socket& socket, double seconds) {
  const auto before = socket.bytes_received();
  boost::beast::flat_buffer incoming;
  std::function<void()> read = [&] {
    socket.stream().async_read(incoming, [&](auto failed, std::size_t) {
      if (failed) fail("an idle socket ended: " + failed.message());
      const auto message = boost::beast::buffers_to_string(incoming.data());
      incoming.clear();
      for (const auto& each : *wire::split_message(message))
        if (each.header.kind == 7)
          socket.send({0, wire::pong{each.header.offset, std::string{each.payload}}});
      read();
    });
  };
  read();
  io.run_for(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>{seconds}));
  return socket.bytes_received() - before;
}

}  // namespace

// Sockets that said hello and opened a terminal each.
void idle_sockets(const settings& with, const report& row) {
  const int count = with.of(10'000, 500);
  bench_client client{with.server};
  const auto terminal = client.make_terminal("exec sleep 1000");
  auto cat = client.raw_cat();
  boost::asio::io_context io;
  std::vector<std::unique_ptr<raw_socket>> sockets;
  const auto before = with.process.resident_kib();
  const auto start = steady::now();
  for (int i = 0; i < count; ++i)
    sockets.push_back(std::make_unique<raw_socket>(io, with.server, i));
  const auto seconds = seconds_since(start);
  std::this_thread::sleep_for(2s);
  const auto after = with.process.resident_kib();
  auto figures = echo_times(cat, with.of(500, 200));
  row("idle sockets",
      {{"sockets", count},
       {"opened_per_second", count / seconds},
       {"rss_kib_each", (static_cast<double>(after) - static_cast<double>(before)) / count},
       {"echo_p99_us_beside", figures.at("p99_us")}});
  sockets.resize(1);
  const auto minute = static_cast<double>(with.of(60, 10));
  auto& one = *sockets[0];
  one.send({1, open_from_end(terminal)});
  (void)one.receive();  // opened
  row("idle wire, one socket",
      {{"bytes_a_minute", static_cast<double>(bytes_while_idle(io, one, minute)) * 60 / minute}});
}

// 100 shells nobody types into, all on one socket.
void idle_terminals(const settings& with, const report& row) {
  const int count = with.of(100, 20);
  bench_client client{with.server};
  auto first = client.open("exec sleep 1000");
  const auto threads = with.process.threads();
  const auto before = with.process.resident_kib() + with.process.agents_resident_kib();
  const auto start = steady::now();
  std::vector<open_terminal> all;
  for (int i = 0; i < count; ++i) all.push_back(client.open("printf r; exec sleep 1000"));
  for (auto& each : all) each.screen->wait([](const shown& now) { return now.end() > 0; });
  const auto opened_s = seconds_since(start);
  std::this_thread::sleep_for(3s);
  const auto cpu = with.process.cpu().seconds;
  const auto seconds = static_cast<double>(with.of(30, 5));
  std::this_thread::sleep_for(std::chrono::duration<double>{seconds});
  const auto after = with.process.resident_kib() + with.process.agents_resident_kib();
  row("idle terminals",
      {{"terminals", count},
       {"open_ms_each", opened_s * 1e3 / count},
       {"rss_kib_each", (static_cast<double>(after) - static_cast<double>(before)) / count},
       {"threads_more", with.process.threads() - threads},
       {"cpu_ms_a_minute", (with.process.cpu().seconds - cpu) * 60'000 / seconds}});
}

// Coder's scale test: 1024 B at 100 Hz on each of 100 terminals.
void fleet(const settings& with, const report& row) {
  const int count = with.of(100, 20);
  const auto seconds = static_cast<double>(with.of(15, 5));
  bench_client client{with.server};
  std::vector<open_terminal> all;
  for (int i = 0; i < count; ++i)
    all.push_back(
        client.open("stty raw -echo; exec perl -e '$| = 1; use Time::HiRes qw(sleep time);"
                    "my ($n, $t) = (0, time); while (1) { print \"x\" x 1024; "
                    "my $ahead = ++$n / 100 - (time - $t); sleep $ahead if $ahead > 0 }'"));
  for (auto& each : all) each.screen->wait([](const shown& now) { return now.end() > 10'240; });
  auto cat = client.raw_cat();
  std::uint64_t before = 0, after = 0;
  for (auto& each : all) before += each.screen->end();
  const auto cpu = with.process.cpu().seconds;
  const auto start = steady::now();
  std::this_thread::sleep_for(std::chrono::duration<double>{seconds});
  for (auto& each : all) after += each.screen->end();
  const auto took = seconds_since(start);
  const auto used = with.process.cpu().seconds - cpu;
  const auto echo = echo_times(cat, with.of(300, 100));
  row("fleet, 1024 B at 100 Hz each",
      {{"terminals", count},
       {"of_what_is_printed", static_cast<double>(after - before) / (count * 102'400.0 * took)},
       {"cpu_share_of_one_core", used / took},
       {"echo_p50_us_beside", echo.at("p50_us")},
       {"echo_p99_us_beside", echo.at("p99_us")}});
}

}  // namespace berth::bench
