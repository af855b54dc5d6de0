// Much output: how fast it comes, what it costs, how small it is on the wire and on disk, and
// reading it anywhere.
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "gateway/ws/binary_codec.hpp"
#include "tests/bench/terminals/raw_socket.hpp"
#include "tests/bench/terminals/scenarios.hpp"

namespace berth::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Prints one byte, then the text when a line was typed.
std::string text_on_key(bench_client& client, std::uint64_t bytes) {
  return "stty raw -echo; printf r; read go; exec cat " + client.make_text(bytes);
}

struct stored {
  std::uint64_t bytes{};
  bool all_compressed{};
};

stored stored_of(const settings& with, const std::string& terminal) {
  stored found{0, true};
  for (const auto& each : fs::directory_iterator{fs::path{with.data_dir} / "bulk" / terminal}) {
    std::error_code gone;
    const auto size = fs::file_size(each.path(), gone);
    if (!gone) found.bytes += size;
    // The open one, named by its first offset alone, is not to be compressed yet.
    const bool is_closed = each.path().stem().string().find('-') != std::string::npos;
    if (each.path().extension() == ".raw" && is_closed) found.all_compressed = false;
  }
  return found;
}

// From the end of the stream until its recording is compressed, by threads of low priority.
void report_recording(const settings& with, const report& row, const std::string& terminal,
                      std::uint64_t bytes, const cpu_use& before) {
  const auto start = steady::now();
  auto now = stored_of(with, terminal);
  while (!now.all_compressed && us_since(start) < 60e6) {
    std::this_thread::sleep_for(50ms);
    now = stored_of(with, terminal);
  }
  row("recording",
      {{"stored_per_byte", static_cast<double>(now.bytes) / static_cast<double>(bytes)},
       {"all_compressed", now.all_compressed},
       {"caught_up_s", seconds_since(start)},
       {"compression_cpu_s_per_100_mb", (with.process.cpu().idle_seconds - before.idle_seconds) *
                                            1e8 / static_cast<double>(bytes)}});
}

}  // namespace

void bulk(const settings& with, const report& row) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(with.of(64, 16)) << 20;
  bench_client client{with.server};
  const auto terminal = client.make_terminal(text_on_key(client, bytes));
  auto reader = client.view(terminal, {.window_bytes = 1 << 20});
  reader.screen->wait([](const shown& now) { return now.end() == 1; });
  const auto before = with.process.cpu();
  const auto start = steady::now();
  reader.handle->input("\n");
  reader.screen->wait([](const shown& now) { return now.over(); });
  const auto seconds = seconds_since(start);
  const auto used = with.process.cpu().seconds - before.seconds;
  row("bulk", {{"bytes", reader.screen->end()},
               {"mb_per_second", static_cast<double>(bytes) / seconds / 1e6},
               {"cpu_s_per_100_mb", used * 1e8 / static_cast<double>(bytes)},
               {"complete", reader.screen->end() == bytes + 1 && !reader.screen->holes()}});
  report_recording(with, row, terminal, bytes, before);
}

void bulk_zstd(const settings& with, const report& row) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(with.of(64, 16)) << 20;
  bench_client client{with.server};
  const auto terminal = client.make_terminal(text_on_key(client, bytes));
  boost::asio::io_context io;
  raw_socket socket{io, with.server, 0, true};
  wire::open open;
  open.id = terminal;
  open.right = wire::right::drive;
  open.credit_until = 1 << 20;
  socket.send({1, open});
  const auto cpu = with.process.cpu().seconds;
  const auto before = socket.bytes_received();
  const auto start = steady::now();
  socket.send({1, wire::input{1, "\n"}});
  for (std::uint64_t got = 0, credited = 0; got < bytes;) {
    const auto message = socket.receive();
    for (const auto& each : *wire::split_message(message))
      // A compressed frame's offset is of its first byte; the next one's says how much it was.
      if (each.header.kind == 1)
        got = std::max(got, each.header.offset);
      else if (each.header.kind == 0 && std::holds_alternative<wire::ended>(
                                            wire::parse_frame(each.header, each.payload)->what))
        got = bytes;
    if (got - credited < 256 * 1024) continue;
    credited = got;
    socket.send({1, wire::credit{got, got + (1 << 20)}});
  }
  const auto seconds = seconds_since(start);
  row("bulk, zstd", {{"wire_per_byte", static_cast<double>(socket.bytes_received() - before) /
                                           static_cast<double>(bytes)},
                     {"mb_per_second", static_cast<double>(bytes) / seconds / 1e6},
                     {"cpu_s_per_100_mb",
                      (with.process.cpu().seconds - cpu) * 1e8 / static_cast<double>(bytes)}});
}

// Random places of a recording, over REST.
void seek(const settings& with, const report& row) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(with.of(100, 16)) * 1'000'000;
  bench_client client{with.server};
  const auto terminal = client.make_terminal(text_on_key(client, bytes));
  auto reader = client.view(terminal, {.window_bytes = 1 << 20});
  reader.screen->wait([](const shown& now) { return now.end() == 1; });
  reader.handle->input("\n");
  reader.screen->wait([](const shown& now) { return now.over(); });
  std::mt19937_64 random{1};
  std::vector<double> us;
  for (int i = 0; i < with.of(500, 100); ++i) {
    const auto from = random() % (bytes - 65'536);
    const auto start = steady::now();
    const auto answer = client.get("/api/v1/terminals/" + terminal +
                                   "/output?limit=65536&from=" + std::to_string(from));
    us.push_back(us_since(start));
    if (answer.body.size() != 65'536) fail("a seek got " + std::to_string(answer.body.size()));
  }
  row("seek in a recording, 64 KiB", figures_of(std::move(us)));
}

}  // namespace berth::bench
