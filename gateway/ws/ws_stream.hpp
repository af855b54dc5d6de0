// A WebSocket over Beast as the transport of a connection, server's or client's. Idle it holds no
// buffer worth the name: the read buffer is given back after a large message, deflate only exists
// if the client negotiated it.
#pragma once

#include <memory>
#include <vector>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "gateway/ws/ws_layer.hpp"
#include "gateway/ws/ws_transport.hpp"

namespace berth::gateway {

inline constexpr std::size_t ws_read_buffer_kept_bytes = 4 * 1024;

class ws_stream : public ws_transport, public std::enable_shared_from_this<ws_stream> {
 public:
  using websocket = boost::beast::websocket::stream<ws_layer>;
  explicit ws_stream(std::unique_ptr<byte_stream> below) : socket_{ws_layer{std::move(below)}} {}

  websocket& socket() { return socket_; }
  byte_stream& below() { return socket_.next_layer().below(); }

  boost::asio::any_io_executor executor() override { return socket_.get_executor(); }
  void begin(std::shared_ptr<ws_transport_user> user) override { user_ = std::move(user); }
  void read() override;
  void write(std::span<const boost::asio::const_buffer> buffers, bool text) override;
  void close(ws_close_code code, std::string_view reason) override;
  void abort() override;

 private:
  void end();

  websocket socket_;
  boost::beast::flat_buffer buffer_;
  std::vector<boost::asio::const_buffer> writing_;
  std::shared_ptr<ws_transport_user> user_;
  bool over_{};
};

}  // namespace berth::gateway
