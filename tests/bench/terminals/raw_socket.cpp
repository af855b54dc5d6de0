#include "tests/bench/terminals/raw_socket.hpp"

#include "gateway/ws/binary_codec.hpp"
#include "tests/bench/terminals/tcp_bytes.hpp"

namespace berth::bench {

namespace beast = boost::beast;
namespace asio = boost::asio;

raw_socket::raw_socket(asio::io_context& io, const client::client_options& options, int number,
                       bool zstd)
    : stream_{io} {
  auto& tcp = stream_.next_layer().socket();
  tcp.open(asio::ip::tcp::v4());
  tcp.bind({asio::ip::make_address_v4("127.0.1." + std::to_string(1 + number % 200)), 0});
  stream_.next_layer().connect({asio::ip::make_address(options.host), options.port});
  stream_.set_option(
      beast::websocket::stream_base::decorator([&](beast::websocket::request_type& request) {
        request.set(beast::http::field::sec_websocket_protocol, "berth.v1");
        request.set(beast::http::field::authorization, "Bearer " + options.token);
      }));
  stream_.handshake(options.host, "/api/v1/ws");
  stream_.binary(true);
  wire::hello hello;
  hello.zstd = zstd;
  send({0, hello});
  (void)receive();  // welcome
}

void raw_socket::send(const wire::frame& what) {
  stream_.write(asio::buffer(wire::encode_message(what)));
}

std::string raw_socket::receive() {
  incoming_.clear();
  stream_.read(incoming_);
  return beast::buffers_to_string(incoming_.data());
}

std::uint64_t raw_socket::bytes_received() {
  return tcp_bytes_received(stream_.next_layer().socket().native_handle());
}

}  // namespace berth::bench
