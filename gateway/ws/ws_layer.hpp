// A byte_stream as Beast wants the layer below its WebSocket: the one stream type that
// websocket::stream is instantiated over. Handlers run on the stream's strand, so they must not be
// bound to another executor.
#pragma once

#include <memory>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/throw_exception.hpp>

#include "gateway/byte_stream.hpp"

namespace berth::gateway {

class ws_layer {
 public:
  using executor_type = boost::asio::any_io_executor;
  explicit ws_layer(std::unique_ptr<byte_stream> below)
      : below_{std::move(below)}, executor_{below_->executor()} {}

  executor_type get_executor() const { return executor_; }
  byte_stream& below() { return *below_; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, boost::asio::mutable_buffer into) {
          below_->read_some(into, shared(std::move(handler)));
        },
        token, first_of(buffers));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const gathered_buffers& from) {
          below_->write_some(from, shared(std::move(handler)));
        },
        token, gather(buffers));
  }

 private:
  // std::function must be copyable, and Beast's handlers are not.
  template <class Handler>
  static auto shared(Handler handler) {
    return [kept = std::make_shared<Handler>(std::move(handler))](boost::system::error_code failed,
                                                                  std::size_t bytes) {
      std::move (*kept)(failed, bytes);
    };
  }
  template <class Buffers>
  static boost::asio::mutable_buffer first_of(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at)
      if (const boost::asio::mutable_buffer one = *at; one.size() > 0) return one;
    return {};
  }
  template <class Buffers>
  static gathered_buffers gather(const Buffers& buffers) {
    gathered_buffers out;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != end && out.size() < out.max_size(); ++at)
      if (const boost::asio::const_buffer one = *at; one.size() > 0) out.push_back(one);
    return out;
  }

  std::unique_ptr<byte_stream> below_;
  executor_type executor_;
};

// What Beast finds by argument: the end of the connection, in order and at once.
template <class Handler>
void async_teardown(boost::beast::role_type role, ws_layer& layer, Handler&& handler) {
  auto kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
  layer.below().tear_down(role == boost::beast::role_type::server,
                          [kept](boost::system::error_code failed) { std::move (*kept)(failed); });
}
inline void beast_close_socket(ws_layer& layer) {
  layer.below().close();
}

}  // namespace berth::gateway
