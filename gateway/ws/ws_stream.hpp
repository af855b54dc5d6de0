// A WebSocket over Beast, plain or TLS, as the transport of a connection. Idle it holds no buffer
// worth the name: the read buffer is given back after a large message, deflate only exists if the
// client negotiated it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/dispatch.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "gateway/ws/frame.hpp"
#include "gateway/ws/ws_transport.hpp"

namespace berth::gateway {

inline constexpr std::size_t ws_read_buffer_kept_bytes = 4 * 1024;

// Deflate for browsers: 4 KiB windows and a small hash cost about 40 KiB a connection, and most of
// the gain.
inline constexpr int ws_deflate_window_bits = 12;
inline constexpr int ws_deflate_memory_level = 4;
inline constexpr int ws_deflate_level = 1;
inline constexpr std::size_t ws_deflate_bytes_min = 512;

template <class Stream>
class ws_stream : public ws_transport, public std::enable_shared_from_this<ws_stream<Stream>> {
 public:
  using websocket = boost::beast::websocket::stream<Stream>;
  explicit ws_stream(Stream stream) : socket_{std::move(stream)} {}

  websocket& socket() { return socket_; }
  boost::asio::any_io_executor executor() override { return socket_.get_executor(); }

  void begin(std::shared_ptr<ws_transport_user> user) override { user_ = std::move(user); }

  void read() override {
    if (over_) return;
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > ws_read_buffer_kept_bytes) buffer_.shrink_to_fit();
    socket_.async_read(
        buffer_, [self = this->shared_from_this()](boost::system::error_code failed, std::size_t) {
          if (failed) return self->end();
          const auto bytes = self->buffer_.cdata();
          const auto user = self->user_;
          if (user)
            user->received({static_cast<const char*>(bytes.data()), bytes.size()},
                           self->socket_.got_text());
        });
  }

  void write(std::span<const boost::asio::const_buffer> buffers, bool text) override {
    if (over_) return;
    socket_.text(text);
    writing_.assign(buffers.begin(), buffers.end());
    socket_.async_write(
        writing_, [self = this->shared_from_this()](boost::system::error_code failed, std::size_t) {
          if (failed) return self->end();
          const auto user = self->user_;
          if (user) user->written();
        });
  }

  void close(ws_close_code code, std::string_view reason) override {
    if (over_) return;
    reason = reason.substr(0, 120);  // A close frame holds 123 bytes of it.
    const boost::beast::websocket::close_reason said{
        static_cast<boost::beast::websocket::close_code>(code),
        boost::beast::string_view(reason.data(), reason.size())};
    socket_.async_close(
        said, [self = this->shared_from_this()](boost::system::error_code) { self->end(); });
  }

  void abort() override {
    boost::beast::get_lowest_layer(socket_).close();
    end();
  }

 private:
  void end() {
    if (over_) return;
    over_ = true;
    if (const auto user = std::exchange(user_, nullptr)) user->ended();
  }

  websocket socket_;
  boost::beast::flat_buffer buffer_;
  std::vector<boost::asio::const_buffer> writing_;
  std::shared_ptr<ws_transport_user> user_;
  bool over_{};
};

}  // namespace berth::gateway
