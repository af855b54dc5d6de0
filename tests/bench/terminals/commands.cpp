// Commands over WebSockets to their durable answers: one client, then 256, each with one in flight.
#include <boost/asio/io_context.hpp>

#include "gateway/ws/binary_codec.hpp"
#include "tests/bench/terminals/raw_socket.hpp"
#include "tests/bench/terminals/scenarios.hpp"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

// Sends the next command when the last one was answered, until told to stop.
class commander {
 public:
  commander(boost::asio::io_context& io, const settings& with, int number, std::string environment)
      : socket_{io, with.server, number},
        number_{number},
        path_{"/api/v1/environments/" + std::move(environment) + "/activity"} {}

  void start(steady::time_point until) {
    until_ = until;
    ask();
  }
  std::vector<double> us;

 private:
  void ask() {
    wire::request request;
    request.id = ++asked_;
    request.method = "POST";
    request.path = path_;
    request.headers = {
        {"content-type", "application/json"},
        {"idempotency-key", "bench-" + std::to_string(number_) + "-" + std::to_string(asked_) +
                                "-" + std::to_string(begun_.time_since_epoch().count())}};
    request.body.bytes = R"({"kind":"keystroke"})";
    request.body_size = static_cast<std::uint32_t>(request.body.bytes.size());
    asked_at_ = steady::now();
    socket_.send({0, request});
    read();
  }

  void read() {
    socket_.stream().async_read(incoming_, [this](auto failed, std::size_t) {
      if (failed) fail("a commander's socket: " + failed.message());
      const auto message = boost::beast::buffers_to_string(incoming_.data());
      incoming_.clear();
      for (const auto& each : *wire::split_message(message)) {
        const auto frame = wire::parse_frame(each.header, each.payload);
        const auto* answer = frame ? std::get_if<wire::response>(&frame->what) : nullptr;
        if (!answer) continue;
        if (answer->status >= 300) fail("a command: " + answer->body.bytes);
        us.push_back(us_since(asked_at_));
        return steady::now() < until_ ? ask() : void();
      }
      read();
    });
  }

  raw_socket socket_;
  int number_;
  std::string path_;
  boost::beast::flat_buffer incoming_;
  std::uint32_t asked_{};
  steady::time_point asked_at_, until_, begun_{steady::now()};
};

void measure(const settings& with, const report& row, int clients,
             const std::vector<std::string>& environments) {
  boost::asio::io_context io;
  std::vector<std::unique_ptr<commander>> all;
  for (int i = 0; i < clients; ++i)
    all.push_back(std::make_unique<commander>(
        io, with, i, environments[static_cast<std::size_t>(i) % environments.size()]));
  const auto cpu = with.process.cpu().seconds;
  const auto start = steady::now();
  for (auto& each : all) each->start(start + std::chrono::seconds{with.of(10, 3)});
  io.run();
  const auto seconds = seconds_since(start);
  std::vector<double> us;
  for (auto& each : all) us.insert(us.end(), each->us.begin(), each->us.end());
  const auto count = static_cast<double>(us.size());
  auto figures = figures_of(std::move(us));
  figures["per_second"] = count / seconds;
  figures["cpu_us_a_command"] = (with.process.cpu().seconds - cpu) * 1e6 / count;
  row("commands over WebSocket, " + std::to_string(clients) +
          (clients == 1 ? " client" : " clients"),
      figures);
}

}  // namespace

void commands(const settings& with, const report& row) {
  std::vector<std::unique_ptr<bench_client>> owners;
  std::vector<std::string> environments;
  for (int i = 0; i < 8; ++i)
    environments.push_back(
        owners.emplace_back(std::make_unique<bench_client>(with.server))->environment());
  measure(with, row, 1, environments);
  measure(with, row, 32, environments);
  measure(with, row, 256, environments);
}

}  // namespace berth::bench
