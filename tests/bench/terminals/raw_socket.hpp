// A WebSocket of berth.v1 that does nothing by itself: for counting bytes and for many of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "gateway/client/client.hpp"
#include "gateway/ws/frame.hpp"

namespace berth::bench {

class raw_socket {
 public:
  // Connects and says hello. `number` picks one of 200 addresses of loopback, for there are only
  // so many ports on one.
  raw_socket(boost::asio::io_context& io, const client::client_options& options, int number,
             bool zstd = false);

  void send(const wire::frame& what);
  std::string receive();           // the next message, of one or more frames
  std::uint64_t bytes_received();  // of TCP payload, whoever read it
  auto& stream() { return stream_; }

 private:
  boost::beast::websocket::stream<boost::beast::tcp_stream> stream_;
  boost::beast::flat_buffer incoming_;
};

}  // namespace berth::bench
