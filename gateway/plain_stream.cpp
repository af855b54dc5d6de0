#include <boost/asio/post.hpp>

#include "gateway/stream_over.hpp"

namespace berth::gateway {
namespace {

class plain final : public stream_over<boost::beast::tcp_stream> {
 public:
  using stream_over::stream_over;
  void shake_hands(on_done done) override {
    boost::asio::post(executor(), [done = std::move(done)] { done({}); });
  }
};

}  // namespace

std::unique_ptr<byte_stream> plain_stream(boost::asio::ip::tcp::socket socket) {
  return std::make_unique<plain>(boost::beast::tcp_stream(std::move(socket)));
}

}  // namespace berth::gateway
