// A connection, plain or TLS, behind one interface: what speaks HTTP and WebSocket over it is
// compiled once and without templates. All calls and completions are on the stream's strand. A
// completion runs once; it is not called inside the call.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/container/static_vector.hpp>

namespace berth::gateway {

// By value: an operation that has to wait reads the list again.
using gathered_buffers = boost::container::static_vector<boost::asio::const_buffer, 16>;

class byte_stream {
 public:
  using on_bytes = std::function<void(boost::system::error_code, std::size_t)>;
  using on_done = std::function<void(boost::system::error_code)>;

  virtual ~byte_stream() = default;
  virtual boost::asio::any_io_executor executor() = 0;
  virtual void shake_hands(on_done done) = 0;  // TLS; at once if plain
  virtual void read_some(boost::asio::mutable_buffer into, on_bytes done) = 0;
  virtual void write_some(gathered_buffers bytes, on_bytes done) = 0;
  // Everything of both buffers, which the caller keeps.
  virtual void write(std::array<boost::asio::const_buffer, 2> bytes, on_done done) = 0;
  // Reads below TLS and throws away: for a client that still sends after the last answer.
  virtual void discard_some(boost::asio::mutable_buffer into, on_bytes done) = 0;
  // Pending and later operations end with beast::error::timeout.
  virtual void expires_after(std::chrono::milliseconds delay) = 0;
  virtual void expires_never() = 0;
  virtual void end_sending() = 0;
  virtual void close() = 0;
  // After a WebSocket's closing handshake (RFC 6455 §7.1.1): TLS close_notify, then TCP; the server
  // closes first.
  virtual void tear_down(bool is_server, on_done done) = 0;
  virtual boost::asio::ip::tcp::socket& socket() = 0;  // for options only
};

std::unique_ptr<byte_stream> plain_stream(boost::asio::ip::tcp::socket socket);  // plain_stream.cpp
// tls_stream.cpp
std::unique_ptr<byte_stream> tls_server_stream(boost::asio::ip::tcp::socket socket,
                                               boost::asio::ssl::context& context);
// `host` is the name asked for (SNI), and what the certificate must name if `verify_host`.
std::unique_ptr<byte_stream> tls_client_stream(boost::asio::ip::tcp::socket socket,
                                               boost::asio::ssl::context& context,
                                               const std::string& host, bool verify_host);

}  // namespace berth::gateway
