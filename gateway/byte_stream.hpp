// A client's connection, plain or TLS, behind one interface: what serves HTTP is compiled once and
// without templates. All calls and completions are on the stream's strand. A completion runs once;
// it is not called inside the call.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "gateway/http_convert.hpp"
#include "gateway/upgrade_context.hpp"

namespace berth::gateway {

class ws_server;

class byte_stream {
 public:
  using on_bytes = std::function<void(boost::system::error_code, std::size_t)>;
  using on_done = std::function<void(boost::system::error_code)>;

  virtual ~byte_stream() = default;
  virtual boost::asio::any_io_executor executor() = 0;
  virtual void shake_hands(on_done done) = 0;  // TLS; at once if plain
  virtual void read_some(boost::asio::mutable_buffer into, on_bytes done) = 0;
  // Everything of both buffers, which the caller keeps.
  virtual void write(std::array<boost::asio::const_buffer, 2> bytes, on_done done) = 0;
  // Reads below TLS and throws away: for a client that still sends after the last answer.
  virtual void discard_some(boost::asio::mutable_buffer into, on_bytes done) = 0;
  // Pending and later operations end with beast::error::timeout.
  virtual void expires_after(std::chrono::milliseconds delay) = 0;
  virtual void expires_never() = 0;
  virtual void end_sending() = 0;
  virtual void close() = 0;
  // Gives the socket away; only the destructor may follow.
  virtual void become_websocket(ws_server& to, http_request upgrade, upgrade_context context) = 0;
};

std::unique_ptr<byte_stream> plain_stream(boost::asio::ip::tcp::socket socket);  // plain_stream.cpp
std::unique_ptr<byte_stream> tls_stream(boost::asio::ip::tcp::socket socket,
                                        boost::asio::ssl::context& context);  // tls_stream.cpp

}  // namespace berth::gateway
