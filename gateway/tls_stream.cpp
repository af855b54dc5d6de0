#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "gateway/stream_over.hpp"

namespace berth::gateway {
namespace {

using over_tcp = boost::asio::ssl::stream<boost::beast::tcp_stream>;

class tls final : public stream_over<over_tcp> {
 public:
  tls(over_tcp stream, over_tcp::handshake_type role)
      : stream_over{std::move(stream)}, role_{role} {}
  void shake_hands(on_done done) override { stream_.async_handshake(role_, std::move(done)); }

 private:
  over_tcp::handshake_type role_;
};

}  // namespace

std::unique_ptr<byte_stream> tls_server_stream(boost::asio::ip::tcp::socket socket,
                                               boost::asio::ssl::context& context) {
  return std::make_unique<tls>(over_tcp(boost::beast::tcp_stream(std::move(socket)), context),
                               over_tcp::server);
}

std::unique_ptr<byte_stream> tls_client_stream(boost::asio::ip::tcp::socket socket,
                                               boost::asio::ssl::context& context,
                                               const std::string& host, bool verify_host) {
  over_tcp stream(boost::beast::tcp_stream(std::move(socket)), context);
  if (verify_host) stream.set_verify_callback(boost::asio::ssl::host_name_verification(host));
  SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
  return std::make_unique<tls>(std::move(stream), over_tcp::client);
}

}  // namespace berth::gateway
