#include <boost/asio/ssl/stream.hpp>

#include "gateway/stream_over.hpp"

namespace berth::gateway {
namespace {

using over_tcp = boost::asio::ssl::stream<boost::beast::tcp_stream>;

class tls final : public stream_over<over_tcp> {
 public:
  using stream_over::stream_over;
  void shake_hands(on_done done) override {
    stream_.async_handshake(over_tcp::server, std::move(done));
  }
};

}  // namespace

std::unique_ptr<byte_stream> tls_stream(boost::asio::ip::tcp::socket socket,
                                        boost::asio::ssl::context& context) {
  return std::make_unique<tls>(over_tcp(boost::beast::tcp_stream(std::move(socket)), context));
}

}  // namespace berth::gateway
