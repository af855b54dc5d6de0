#include "gateway/client/dial.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/throw_exception.hpp>

#include "gateway/ws/ws_stream.hpp"

namespace berth::client {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

constexpr std::size_t message_bytes_max = 1024 * 1024;  // from the server
constexpr std::size_t mask_buffer_bytes = 16 * 1024;

template <class Stream>
constexpr bool is_tls = !std::is_same_v<Stream, beast::tcp_stream>;

template <class Stream>
class attempt : public std::enable_shared_from_this<attempt<Stream>> {
 public:
  attempt(net::io_context& io, Stream stream, std::shared_ptr<net::ssl::context> tls,
          const client_options& options, std::function<void(dial_result)> done)
      : resolver_{io},
        timer_{io},
        tls_{std::move(tls)},
        transport_{std::make_shared<gateway::ws_stream<Stream>>(std::move(stream))},
        options_{options},
        done_{std::move(done)} {}

  void begin() {
    timer_.expires_after(options_.connect_max);
    timer_.async_wait(step([](attempt& self, error_code failed) {
      if (!failed)
        self.fail("timeout", "no connection within " +
                                 std::to_string(self.options_.connect_max.count()) + " ms");
    }));
    resolver_.async_resolve(options_.host, std::to_string(options_.port),
                            [to = this->weak_from_this()](
                                error_code failed, net::ip::tcp::resolver::results_type found) {
                              auto self = to.lock();
                              if (!self || !self->done_) return;
                              if (failed)
                                return self->fail("connect_failed",
                                                  self->options_.host + ": " + failed.message());
                              self->connect(found);
                            });
  }

  // Once it completed, the socket is its taker's.
  void cancel() {
    if (std::exchange(done_, {})) stop();
  }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(transport_->socket()); }

  // A continuation that does nothing if the attempt is over.
  template <class F>
  auto step(F next) {
    return [to = this->weak_from_this(), next](error_code failed, const auto&...) {
      if (auto self = to.lock(); self && self->done_) next(*self, failed);
    };
  }

  void connect(const net::ip::tcp::resolver::results_type& found) {
    lowest().async_connect(found, step([](attempt& self, error_code failed) {
                             if (failed)
                               return self.fail("connect_failed",
                                                self.options_.host + ":" +
                                                    std::to_string(self.options_.port) + ": " +
                                                    failed.message());
                             self.secure();
                           }));
  }

  void secure() {
    error_code ignored;
    lowest().socket().set_option(net::ip::tcp::no_delay{true}, ignored);
    if constexpr (is_tls<Stream>) {
      auto& stream = transport_->socket().next_layer();
      if (options_.verify_peer)
        stream.set_verify_callback(net::ssl::host_name_verification(options_.host));
      SSL_set_tlsext_host_name(stream.native_handle(), options_.host.c_str());
      stream.async_handshake(net::ssl::stream_base::client,
                             step([](attempt& self, error_code failed) {
                               if (failed) return self.fail("tls_failed", failed.message());
                               self.upgrade();
                             }));
    } else {
      upgrade();
    }
  }

  void upgrade() {
    auto& socket = transport_->socket();
    websocket::stream_base::timeout times{};
    times.handshake_timeout = options_.connect_max;
    times.idle_timeout = gateway::ws_silence_max;
    times.keep_alive_pings = true;
    socket.set_option(times);
    socket.set_option(websocket::stream_base::decorator{
        [token = options_.token, name = options_.name](websocket::request_type& request) {
          request.set(beast::http::field::sec_websocket_protocol, "berth.v1");
          if (!token.empty()) request.set(beast::http::field::authorization, "Bearer " + token);
          request.set(beast::http::field::user_agent, name);
        }});
    socket.read_message_max(message_bytes_max);
    socket.write_buffer_bytes(mask_buffer_bytes);
    socket.auto_fragment(false);
    socket.binary(true);
    socket.async_handshake(answer_, options_.host + ":" + std::to_string(options_.port),
                           "/api/v1/ws",
                           step([](attempt& self, error_code failed) { self.upgraded(failed); }));
  }

  void upgraded(error_code failed) {
    if (failed == websocket::error::upgrade_declined) {
      const auto status = answer_.result_int();
      // Overload, a proxy without its server: worth another attempt. The client's own fault is not.
      const bool final = status < 500 && status != 429;
      return fail(status == 401 ? "unauthenticated" : "refused",
                  "the server answered " + std::to_string(status) + ": " + answer_.body(), final);
    }
    if (failed) return fail("connect_failed", "WebSocket upgrade: " + failed.message());
    timer_.cancel();
    std::exchange(done_, {})(dialled{transport_});
  }

  void fail(std::string code, std::string message, bool final = false) {
    stop();
    if (auto done = std::exchange(done_, {}))
      done(dial_failure{{std::move(code), std::move(message), {}}, final});
  }

  void stop() {
    timer_.cancel();
    resolver_.cancel();
    lowest().close();
  }

  net::ip::tcp::resolver resolver_;
  net::steady_timer timer_;
  std::shared_ptr<net::ssl::context> tls_;
  std::shared_ptr<gateway::ws_stream<Stream>> transport_;
  const client_options options_;
  websocket::response_type answer_;
  std::function<void(dial_result)> done_;
};

template <class Stream>
std::shared_ptr<void> begin(std::shared_ptr<attempt<Stream>> made) {
  made->begin();
  return {made.get(), [made](void*) { made->cancel(); }};
}

// Nothing if the file of trusted certificates cannot be read.
std::shared_ptr<net::ssl::context> context_for(const client_options& options, error_code& failed) {
  auto tls = std::make_shared<net::ssl::context>(net::ssl::context::tls_client);
  if (!options.verify_peer)
    tls->set_verify_mode(net::ssl::verify_none, failed);
  else
    tls->set_verify_mode(net::ssl::verify_peer, failed);
  if (options.ca_file.empty())
    tls->set_default_verify_paths(failed);
  else
    tls->load_verify_file(options.ca_file, failed);
  return tls;
}

}  // namespace

void throw_exception_from_error(const dial_failure& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.why.message), where);
}

std::shared_ptr<void> dial(net::io_context& io, const client_options& options,
                           std::function<void(dial_result)> done) {
  if (!options.tls)
    return begin(std::make_shared<attempt<beast::tcp_stream>>(io, beast::tcp_stream{io}, nullptr,
                                                              options, std::move(done)));
  error_code failed;
  auto tls = context_for(options, failed);
  if (failed) {
    net::post(io, [done = std::move(done), message = options.ca_file + ": " + failed.message()] {
      done(dial_failure{{"tls_failed", message, {}}, true});
    });
    return nullptr;
  }
  using stream = net::ssl::stream<beast::tcp_stream>;
  return begin(std::make_shared<attempt<stream>>(io, stream{beast::tcp_stream{io}, *tls}, tls,
                                                 options, std::move(done)));
}

}  // namespace berth::client
