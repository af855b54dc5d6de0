#include "gateway/ws/ws_stream.hpp"

#include <utility>

namespace berth::gateway {

using boost::system::error_code;

void ws_stream::read() {
  if (over_) return;
  buffer_.consume(buffer_.size());
  if (buffer_.capacity() > ws_read_buffer_kept_bytes) buffer_.shrink_to_fit();
  socket_.async_read(buffer_, [self = shared_from_this()](error_code failed, std::size_t) {
    if (failed) return self->end();
    const auto bytes = self->buffer_.cdata();
    const auto user = self->user_;
    if (user)
      user->received({static_cast<const char*>(bytes.data()), bytes.size()},
                     self->socket_.got_text());
  });
}

void ws_stream::write(std::span<const boost::asio::const_buffer> buffers, bool text) {
  if (over_) return;
  socket_.text(text);
  writing_.assign(buffers.begin(), buffers.end());
  socket_.async_write(writing_, [self = shared_from_this()](error_code failed, std::size_t) {
    if (failed) return self->end();
    const auto user = self->user_;
    if (user) user->written();
  });
}

void ws_stream::close(ws_close_code code, std::string_view reason) {
  if (over_) return;
  reason = reason.substr(0, 120);  // A close frame holds 123 bytes of it.
  const boost::beast::websocket::close_reason said{
      static_cast<boost::beast::websocket::close_code>(code),
      boost::beast::string_view(reason.data(), reason.size())};
  socket_.async_close(said, [self = shared_from_this()](error_code) { self->end(); });
}

void ws_stream::abort() {
  below().close();
  end();
}

void ws_stream::end() {
  if (over_) return;
  over_ = true;
  if (const auto user = std::exchange(user_, nullptr)) user->ended();
}

}  // namespace berth::gateway
