#include "gateway/ws/ws_upgrade.hpp"

#include <boost/asio/detail/socket_types.hpp>  // the socket options' numbers
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "gateway/auth/authenticator.hpp"
#include "gateway/http_convert.hpp"
#include "gateway/problem.hpp"
#include "gateway/ws/ws_connection.hpp"
#include "gateway/ws/ws_stream.hpp"

namespace berth::gateway {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

constexpr std::string_view binary_protocol = "berth.v1";
constexpr std::string_view json_protocol = "berth.v1.json";
constexpr int send_buffer_bytes = 64 * 1024;  // the kernel doubles it
constexpr int unsent_bytes_max = 64 * 1024;

// Deflate for browsers: 4 KiB windows and a small hash cost about 40 KiB a connection, and most of
// the gain.
constexpr int deflate_window_bits = 12;
constexpr int deflate_memory_level = 4;
constexpr int deflate_level = 1;
constexpr std::size_t deflate_bytes_min = 512;

// Queues must stay where they can be reordered, so little is left to the kernel's.
void tune(boost::asio::ip::tcp::socket& socket) {
  error_code ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay{true}, ignored);
  socket.set_option(boost::asio::socket_base::send_buffer_size{send_buffer_bytes}, ignored);
  socket.set_option(
      boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>{unsent_bytes_max},
      ignored);
}

// The first of ours in the client's list; empty if there is none.
std::string_view chosen_protocol(const http_request& upgrade) {
  for (const auto offered :
       beast::http::token_list{upgrade[beast::http::field::sec_websocket_protocol]}) {
    if (offered == binary_protocol) return binary_protocol;
    if (offered == json_protocol) return json_protocol;
  }
  return {};
}

// One upgrade under way: who asks, the answer, and then the connection.
class upgrading : public std::enable_shared_from_this<upgrading> {
 public:
  upgrading(std::unique_ptr<byte_stream> stream, http_request upgrade, upgrade_context context,
            std::shared_ptr<ws_hub> hub)
      : transport_{std::make_shared<ws_stream>(std::move(stream))},
        upgrade_{std::move(upgrade)},
        context_{std::move(context)},
        hub_{std::move(hub)} {}

  void begin() {
    protocol_ = chosen_protocol(upgrade_);
    if (protocol_.empty())
      return refuse(
          problem_response(kind_named("bad_request"),
                           "offer one of the WebSocket subprotocols berth.v1 and berth.v1.json",
                           context_.request_id));
    auto asked = to_request(upgrade_, context_.remote, context_.request_id);
    if (!asked)
      return refuse(
          problem_response(kind_named("bad_request"), asked.error().why, context_.request_id));
    const auto credential = authenticator::credential_of(trusted(std::move(*asked)));
    if (!credential) return accept({});
    context_.auth.authenticate(*credential, [self = shared_from_this()](outcome<identity> who) {
      boost::asio::post(self->transport_->executor(), [self, who = std::move(who)]() mutable {
        if (!who) return self->refuse(problem_response(who.error(), self->context_.request_id));
        self->accept(std::move(*who));
      });
    });
  }

 private:
  // A page of another origin can make a browser send its cookie here; such a page must say hello
  // with a token.
  static request trusted(request asked) {
    const auto origin = asked.headers.find("origin");
    if (origin == asked.headers.end()) return asked;
    const auto at = origin->second.find("://");
    const auto host = at == std::string::npos ? origin->second : origin->second.substr(at + 3);
    if (host != asked.headers["host"]) asked.headers.erase("cookie");
    return asked;
  }

  void accept(std::optional<identity> who) {
    auto& socket = transport_->socket();
    tune(transport_->below().socket());
    websocket::stream_base::timeout times{};
    times.handshake_timeout = ws_handshake_max;
    times.idle_timeout = ws_silence_max;
    times.keep_alive_pings = true;
    socket.set_option(times);
    socket.set_option(websocket::stream_base::decorator{
        [protocol = protocol_](websocket::response_type& response) {
          response.set(beast::http::field::sec_websocket_protocol, protocol);
          response.set(beast::http::field::server, "berth");
        }});
    websocket::permessage_deflate deflate;
    deflate.server_enable = true;
    deflate.server_max_window_bits = deflate_window_bits;
    deflate.client_max_window_bits = deflate_window_bits;
    deflate.compLevel = deflate_level;
    deflate.memLevel = deflate_memory_level;
    deflate.msg_size_threshold = deflate_bytes_min;
    socket.set_option(deflate);
    socket.read_message_max(wire::message_bytes_max);
    socket.auto_fragment(false);
    socket.async_accept(
        upgrade_, [self = shared_from_this(), who = std::move(who)](error_code failed) mutable {
          if (!failed) self->serve(std::move(who));
        });
  }

  void serve(std::optional<identity> who) {
    auto connections = context_.connections;
    const auto connection = std::make_shared<ws_connection>(
        std::move(context_), hub_, std::move(who), protocol_ == json_protocol, transport_);
    connection->begin(connections->enter(connection));
  }

  void refuse(const response& answer) {
    const auto message = std::make_shared<std::string>(
        header_text(answer, {upgrade_.version(), false, false}) + answer.body);
    auto& stream = transport_->below();
    stream.expires_after(ws_handshake_max);
    stream.write({boost::asio::buffer(*message), {}}, [self = shared_from_this(), message, &stream](
                                                          error_code) { stream.end_sending(); });
  }

  std::shared_ptr<ws_stream> transport_;
  http_request upgrade_;
  upgrade_context context_;
  std::shared_ptr<ws_hub> hub_;
  std::string_view protocol_;
};

}  // namespace

ws_server::ws_server(const services& given, boost::asio::any_io_executor executor)
    : hub_{std::make_shared<ws_hub>(given, std::move(executor))} {
  hub_->begin();
}

ws_server::~ws_server() {
  hub_->stop();
}

void ws_server::accept(std::unique_ptr<byte_stream> stream, http_request upgrade,
                       upgrade_context context) {
  const auto executor = stream->executor();
  const auto made =
      std::make_shared<upgrading>(std::move(stream), std::move(upgrade), std::move(context), hub_);
  boost::asio::dispatch(executor, [made] { made->begin(); });
}

}  // namespace berth::gateway
