// byte_stream over a Beast stream; included by plain_stream.cpp and tls_stream.cpp only.
#pragma once

#include <boost/asio/write.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/teardown.hpp>

#include "gateway/byte_stream.hpp"

namespace berth::gateway {

template <class Stream>
class stream_over : public byte_stream {
 public:
  explicit stream_over(Stream stream) : stream_(std::move(stream)) {}

  boost::asio::any_io_executor executor() override { return stream_.get_executor(); }
  void read_some(boost::asio::mutable_buffer into, on_bytes done) override {
    stream_.async_read_some(into, std::move(done));
  }
  void write_some(gathered_buffers bytes, on_bytes done) override {
    stream_.async_write_some(bytes, std::move(done));
  }
  void write(std::array<boost::asio::const_buffer, 2> bytes, on_done done) override {
    boost::asio::async_write(
        stream_, bytes,
        [done = std::move(done)](boost::system::error_code failed, std::size_t) { done(failed); });
  }
  void discard_some(boost::asio::mutable_buffer into, on_bytes done) override {
    lowest().async_read_some(into, std::move(done));
  }
  void expires_after(std::chrono::milliseconds delay) override { lowest().expires_after(delay); }
  void expires_never() override { lowest().expires_never(); }
  void end_sending() override {
    boost::system::error_code ignored;
    lowest().socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
  }
  void close() override { lowest().close(); }
  void tear_down(bool is_server, on_done done) override {
    using boost::beast::role_type;
    using boost::beast::websocket::async_teardown;
    async_teardown(is_server ? role_type::server : role_type::client, stream_, std::move(done));
  }
  boost::asio::ip::tcp::socket& socket() override { return lowest().socket(); }

 protected:
  boost::beast::tcp_stream& lowest() { return boost::beast::get_lowest_layer(stream_); }
  Stream stream_;
};

}  // namespace berth::gateway
