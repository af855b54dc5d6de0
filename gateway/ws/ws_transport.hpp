// The socket under a connection: messages in, messages out, one of each at a time. Beast's stream
// implements it (ws_stream.hpp), tests do without sockets. Everything runs on the executor, a
// strand.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>

#include "gateway/ws/ws_limits.hpp"

namespace berth::gateway {

class ws_transport_user {
 public:
  virtual ~ws_transport_user() = default;
  virtual void received(std::string_view message, bool text) = 0;  // valid until the next read()
  virtual void written() = 0;
  virtual void ended() = 0;  // once: closed by either side or broken; nothing comes after it
};

class ws_transport {
 public:
  virtual ~ws_transport() = default;
  virtual boost::asio::any_io_executor executor() = 0;
  // Keeps `user` until it was told `ended`.
  virtual void begin(std::shared_ptr<ws_transport_user> user) = 0;
  virtual void read() = 0;
  // One message; the buffers' bytes stay valid until `written`.
  virtual void write(std::span<const boost::asio::const_buffer> buffers, bool text) = 0;
  virtual void close(ws_close_code code, std::string_view reason) = 0;  // the closing handshake
  virtual void abort() = 0;                                             // without it
};

}  // namespace berth::gateway
