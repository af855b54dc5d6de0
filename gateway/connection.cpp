#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <spdlog/spdlog.h>

#include "gateway/core.hpp"
#include "gateway/http_convert.hpp"
#include "gateway/problem.hpp"
#include "gateway/tunnel.hpp"
#include "gateway/ws/ws_upgrade.hpp"

namespace berth::gateway {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tls_stream = net::ssl::stream<beast::tcp_stream>;

constexpr std::size_t first_read_bytes = 4096;
// After an error answer the client may still be sending; reading on for a moment keeps the answer from being reset.
constexpr std::chrono::milliseconds linger_max{1'000};
constexpr std::size_t linger_bytes_max = 8 * 1024 * 1024;

// One client's connection: a request is read, answered and written before the next one is read, so pipelined requests
// are answered in order. Everything runs on the stream's strand.
template <class Stream>
class connection : public live_connection, public std::enable_shared_from_this<connection<Stream>> {
 public:
  connection(std::shared_ptr<gateway_core> core, Stream stream, std::string remote)
      : core_(std::move(core)), stream_(std::move(stream)), remote_(std::move(remote)) {}

  void begin(std::shared_ptr<void> entry) {
    entry_ = std::move(entry);
    net::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->shake_hands(); });
  }

  void close_soon() override {
    net::dispatch(stream_.get_executor(), [self = this->shared_from_this()] {
      self->closing_ = true;
      if (self->idle_) self->lowest().close();
    });
  }

 private:
  using parser = http::request_parser<http::string_body>;
  const gateway_limits& limits() const { return core_->options.limits; }
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  void shake_hands() {
    if constexpr (std::is_same_v<Stream, tls_stream>) {
      lowest().expires_after(limits().handshake_max);
      stream_.async_handshake(net::ssl::stream_base::server, [self = this->shared_from_this()](error_code failed) {
        if (!failed) self->await_request();
      });
    } else {
      await_request();
    }
  }

  void await_request() {
    if (closing_) return end();
    if (buffer_.size() > 0) return read_header();
    idle_ = true;
    lowest().expires_after(limits().idle_max);
    stream_.async_read_some(buffer_.prepare(first_read_bytes),
                            [self = this->shared_from_this()](error_code failed, std::size_t size) {
                              self->idle_ = false;
                              self->buffer_.commit(size);
                              if (failed) return self->end();
                              self->read_header();
                            });
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits().header_bytes_max));
    parser_->body_limit(limits().body_bytes_max);
    request_id_ = fresh_request_id();
    lowest().expires_after(limits().header_max);
    http::async_read_header(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code failed, std::size_t) {
      if (failed) return self->refuse_reading(failed);
      self->have_header();
    });
  }

  void have_header() {
    const auto& head = parser_->get();
    request_id_ = request_id_of(head);
    if (is_websocket_upgrade(head)) return hand_over();
    const auto expected = parser_->content_length().value_or(parser_->chunked() ? limits().body_bytes_max : 0);
    body_share_ = core_->bodies.reserve(expected);
    if (!body_share_) return answer_and_close(problem_response(kind_named("overloaded"), "too many request bodies at once; try again", request_id_));
    if (beast::iequals(head[http::field::expect], "100-continue")) return write_continue();
    read_body();
  }

  static bool is_websocket_upgrade(const http::request<http::string_body>& head) {
    const auto target = head.target().substr(0, head.target().find('?'));
    return target == "/api/v1/ws" && beast::websocket::is_upgrade(head);
  }

  void hand_over() {
    if (buffer_.size() > 0)
      return answer_and_close(problem_response(kind_named("bad_request"), "nothing may follow the upgrade request before its answer", request_id_));
    lowest().expires_never();
    upgrade_context context{core_->given, core_->routes, core_->auth, core_->connections, core_, remote_, request_id_};
    core_->websockets->accept(std::move(stream_), parser_->release(), std::move(context));
  }

  void write_continue() {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    net::async_write(stream_, net::buffer(go_on), [self = this->shared_from_this()](error_code failed, std::size_t) {
      if (!failed) self->read_body();
    });
  }

  void read_body() {
    lowest().expires_after(limits().body_max);
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code failed, std::size_t) {
      if (failed) return self->refuse_reading(failed);
      self->handle();
    });
  }

  void handle() {
    lowest().expires_never();
    auto message = parser_->release();
    parser_.reset();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    version_ = message.version();
    auto asked = to_request(std::move(message), remote_, request_id_);
    if (!asked) return answer_and_close(problem_response(kind_named("bad_request"), asked.error().why, request_id_));
    core_->routes.dispatch(std::move(*asked), [self = this->shared_from_this()](response given) {
      net::post(self->stream_.get_executor(), [self, given = std::move(given)]() mutable { self->answer(std::move(given)); });
    });
  }

  void answer(response given) {
    body_share_.reset();
    if (given.tunnel) return answer_tunnel(std::move(given));
    if (given.status == 101) given = problem_response(kind_named("internal"), "an upgrade without a socket", request_id_);
    keep_alive_ = keep_alive_ && !closing_;
    if (given.stream) return answer_stream(std::move(given));
    auto message = std::make_shared<http::response<http::string_body>>(to_message(given, version_, keep_alive_));
    message->body() = std::move(given.body);
    message->prepare_payload();
    if (head_only_) message->body().clear();  // Content-Length stays what GET would say.
    write(message);
  }

  template <class Body>
  void write(const std::shared_ptr<http::response<Body>>& message) {
    lowest().expires_after(limits().write_max);
    const auto written = [self = this->shared_from_this(), message](error_code failed, std::size_t) {
      if (failed) return;
      if (self->keep_alive_) return self->await_request();
      self->linger();
    };
    if (!head_only_) return http::async_write(stream_, *message, written);
    auto header = std::make_shared<http::response_serializer<Body>>(*message);
    http::async_write_header(stream_, *header, [written, header](error_code failed, std::size_t size) { written(failed, size); });
  }

  // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
  void answer_stream(response given) {
    chunked_ = version_ >= 11;
    keep_alive_ = keep_alive_ && chunked_;
    auto message = std::make_shared<http::response<http::empty_body>>(to_empty_message(given, version_, keep_alive_));
    message->chunked(chunked_);
    auto serializer = std::make_shared<http::response_serializer<http::empty_body>>(*message);
    source_ = std::move(given.stream);
    lowest().expires_after(limits().write_max);
    http::async_write_header(stream_, *serializer,
                             [self = this->shared_from_this(), message, serializer](error_code failed, std::size_t) {
                               if (failed) return;
                               if (!self->head_only_) return self->write_chunk();
                               if (self->keep_alive_) return self->await_request();
                               self->linger();
                             });
  }

  void write_chunk() {
    lowest().expires_after(limits().write_max);
    chunk_.clear();
    bool more = false;
    do more = source_(chunk_);
    while (more && chunk_.empty());  // An empty chunk would end the body.
    auto self = this->shared_from_this();
    const auto next = [self, more](error_code failed, std::size_t) {
      if (failed) return;
      if (more) return self->write_chunk();
      self->source_ = nullptr;
      if (self->keep_alive_) return self->await_request();
      self->linger();
    };
    if (!more && chunked_) return net::async_write(stream_, http::make_chunk_last(), next);
    if (!chunked_) return net::async_write(stream_, net::buffer(chunk_), next);
    net::async_write(stream_, http::make_chunk(net::buffer(chunk_)), next);
  }

  void answer_tunnel(response given) {
    auto message = std::make_shared<http::response<http::empty_body>>(to_empty_message(given, version_, true));
    http::async_write(stream_, *message,
                      [self = this->shared_from_this(), message, inside = given.tunnel](error_code failed, std::size_t) {
                        if (failed) return;
                        self->lowest().expires_never();
                        auto early = beast::buffers_to_string(self->buffer_.data());
                        join_tunnel(std::move(self->stream_), inside, std::move(early), self->core_->connections, self->core_);
                      });
  }

  void refuse_reading(error_code why) {
    const auto refuse = [this](std::string_view code, std::string_view message) {
      answer_and_close(problem_response(kind_named(code), message, request_id_));
    };
    if (why == http::error::header_limit) return refuse("headers_too_large", "the request line and headers are too large");
    if (why == http::error::body_limit) return refuse("payload_too_large", "the body is too large");
    if (why == beast::error::timeout) return end();  // The socket is closed already.
    if (why.category() != make_error_code(http::error::end_of_stream).category() || why == http::error::end_of_stream ||
        why == http::error::partial_message)
      return end();
    refuse("bad_request", "not HTTP: " + why.message());
  }

  void answer_and_close(response given) {
    keep_alive_ = false;
    given.headers["X-Request-Id"] = request_id_;
    answer(std::move(given));
  }

  void linger() {
    error_code ignored;
    lowest().socket().shutdown(net::socket_base::shutdown_send, ignored);
    lowest().expires_after(linger_max);
    drop_input(0);
  }
  void drop_input(std::size_t dropped) {
    buffer_.clear();
    if (dropped > linger_bytes_max) return end();
    lowest().async_read_some(buffer_.prepare(first_read_bytes),
                             [self = this->shared_from_this(), dropped](error_code failed, std::size_t size) {
                               if (failed) return self->end();
                               self->drop_input(dropped + size);
                             });
  }

  void end() { lowest().close(); }

  std::shared_ptr<gateway_core> core_;
  Stream stream_;
  std::string remote_;
  std::shared_ptr<void> entry_;
  beast::flat_buffer buffer_;
  std::optional<parser> parser_;
  std::string request_id_;
  std::shared_ptr<void> body_share_;
  body_stream source_;
  std::string chunk_;
  unsigned version_{11};
  bool keep_alive_{};
  bool head_only_{};
  bool chunked_{};
  bool idle_{};
  bool closing_{};
};

template <class Stream, class... Arguments>
void serve(const std::shared_ptr<gateway_core>& core, net::ip::tcp::socket socket, Arguments&&... more) {
  error_code failed;
  const auto remote = socket.remote_endpoint(failed);
  if (failed) return;
  auto served = std::make_shared<connection<Stream>>(
      core, Stream(beast::tcp_stream(std::move(socket)), std::forward<Arguments>(more)...), remote.address().to_string());
  served->begin(core->connections->enter(served));
}

}  // namespace

void serve_plain(const std::shared_ptr<gateway_core>& core, net::ip::tcp::socket socket) {
  serve<beast::tcp_stream>(core, std::move(socket));
}

void serve_tls(const std::shared_ptr<gateway_core>& core, net::ip::tcp::socket socket) {
  serve<tls_stream>(core, std::move(socket), *core->tls);
}

}  // namespace berth::gateway
