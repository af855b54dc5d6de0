#include "gateway/client/dial.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
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

class attempt : public std::enable_shared_from_this<attempt> {
  // A continuation that does nothing if the attempt is over.
  template <class F>
  auto step(F next) {
    return [to = weak_from_this(), next](error_code failed, const auto&...) {
      if (auto self = to.lock(); self && self->done_) next(*self, failed);
    };
  }

 public:
  // Without `tls` the connection is plain.
  attempt(net::io_context& io, std::shared_ptr<net::ssl::context> tls,
          const client_options& options, std::function<void(dial_result)> done)
      : resolver_{io},
        timer_{io},
        socket_{io},
        tls_{std::move(tls)},
        options_{options},
        done_{std::move(done)} {}

  void begin() {
    timer_.expires_after(options_.connect_max);
    timer_.async_wait(step([](attempt& self, error_code failed) {
      if (!failed)
        self.fail("timeout", "no connection within " +
                                 std::to_string(self.options_.connect_max.count()) + " ms");
    }));
    resolver_.async_resolve(
        options_.host, std::to_string(options_.port),
        [to = weak_from_this()](error_code failed, net::ip::tcp::resolver::results_type found) {
          auto self = to.lock();
          if (!self || !self->done_) return;
          if (failed)
            return self->fail("connect_failed", self->options_.host + ": " + failed.message());
          self->connect(found);
        });
  }

  // Once it completed, the socket is its taker's.
  void cancel() {
    if (std::exchange(done_, {})) stop();
  }

 private:
  void connect(const net::ip::tcp::resolver::results_type& found) {
    net::async_connect(socket_, found, step([](attempt& self, error_code failed) {
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
    socket_.set_option(net::ip::tcp::no_delay{true}, ignored);
    transport_ = std::make_shared<gateway::ws_stream>(
        tls_ ? gateway::tls_client_stream(std::move(socket_), *tls_, options_.host,
                                          options_.verify_peer)
             : gateway::plain_stream(std::move(socket_)));
    transport_->below().shake_hands(step([](attempt& self, error_code failed) {
      if (failed) return self.fail("tls_failed", failed.message());
      self.upgrade();
    }));
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
    error_code ignored;
    socket_.close(ignored);
    if (transport_) transport_->below().close();
  }

  net::ip::tcp::resolver resolver_;
  net::steady_timer timer_;
  net::ip::tcp::socket socket_;  // until it is connected
  std::shared_ptr<net::ssl::context> tls_;
  std::shared_ptr<gateway::ws_stream> transport_;
  const client_options options_;
  websocket::response_type answer_;
  std::function<void(dial_result)> done_;
};

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
  std::shared_ptr<net::ssl::context> tls;
  error_code failed;
  if (options.tls) tls = context_for(options, failed);
  if (failed) {
    net::post(io, [done = std::move(done), message = options.ca_file + ": " + failed.message()] {
      done(dial_failure{{"tls_failed", message, {}}, true});
    });
    return nullptr;
  }
  const auto made = std::make_shared<attempt>(io, std::move(tls), options, std::move(done));
  made->begin();
  return {made.get(), [made](void*) { made->cancel(); }};
}

}  // namespace berth::client
