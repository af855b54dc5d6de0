#include <spdlog/spdlog.h>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "gateway/byte_stream.hpp"
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

constexpr std::size_t read_bytes = 16 * 1024;
// After an error answer the client may still be sending; reading on for a moment keeps the answer
// from being reset.
constexpr std::chrono::milliseconds linger_max{1'000};
constexpr std::size_t linger_bytes_max = 8 * 1024 * 1024;

// One client's connection: a request is read, answered and written before the next one is read, so
// pipelined requests are answered in order. Everything runs on the stream's strand.
class connection : public live_connection, public std::enable_shared_from_this<connection> {
 public:
  connection(std::shared_ptr<gateway_core> core, std::unique_ptr<byte_stream> stream,
             std::string remote)
      : core_(std::move(core)),
        stream_(std::move(stream)),
        executor_(stream_->executor()),
        remote_(std::move(remote)) {}

  void begin(std::shared_ptr<void> entry) {
    entry_ = std::move(entry);
    net::dispatch(executor_, [self = shared_from_this()] {
      self->stream_->expires_after(self->limits().handshake_max);
      self->stream_->shake_hands([self](error_code failed) {
        if (!failed) self->await_request();
      });
    });
  }

  void close_soon() override {
    net::dispatch(executor_, [self = shared_from_this()] {
      self->closing_ = true;
      if (self->idle_) self->stream_->close();
    });
  }

 private:
  const gateway_limits& limits() const { return core_->options.limits; }

  void read_more(void (connection::*go_on)()) {
    stream_->read_some(buffer_.prepare(read_bytes), [self = shared_from_this(), go_on](
                                                        error_code failed, std::size_t size) {
      self->idle_ = false;
      self->buffer_.commit(size);
      if (failed) return self->stream_->close();  // Gone, or too slow: nobody waits for an answer.
      (self.get()->*go_on)();
    });
  }

  void await_request() {
    if (closing_) return stream_->close();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits().header_bytes_max));
    parser_->body_limit(limits().body_bytes_max);
    request_id_ = fresh_request_id();
    if (buffer_.size() > 0) return begin_header();
    idle_ = true;
    stream_->expires_after(limits().idle_max);
    read_more(&connection::begin_header);
  }

  void begin_header() {
    stream_->expires_after(limits().header_max);
    parse_header();
  }

  void parse_header() {
    error_code failed;
    buffer_.consume(parser_->put(buffer_.data(), failed));
    if (failed && failed != http::error::need_more) return refuse_parsing(failed);
    if (!parser_->is_header_done()) return read_more(&connection::parse_header);
    have_header();
  }

  void have_header() {
    const auto& head = parser_->get();
    request_id_ = request_id_of(head);
    if (is_websocket_upgrade(head)) return hand_over();
    const auto expected =
        parser_->content_length().value_or(parser_->chunked() ? limits().body_bytes_max : 0);
    body_share_ = core_->bodies.reserve(expected);
    if (!body_share_)
      return answer_and_close("overloaded", "too many request bodies at once; try again");
    stream_->expires_after(limits().body_max);
    parser_->eager(true);
    if (beast::iequals(head[http::field::expect], "100-continue")) return write_continue();
    parse_body();
  }

  static bool is_websocket_upgrade(const http_request& head) {
    const auto target = head.target().substr(0, head.target().find('?'));
    return target == "/api/v1/ws" && beast::websocket::is_upgrade(head);
  }

  void hand_over() {
    if (buffer_.size() > 0)
      return answer_and_close("bad_request",
                              "nothing may follow the upgrade request before its answer");
    stream_->expires_never();
    upgrade_context context{core_->given, core_->routes, core_->auth, core_->connections,
                            core_,        remote_,       request_id_};
    core_->websockets->accept(std::move(stream_), parser_->release(), std::move(context));
  }

  void write_continue() {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    stream_->write({net::buffer(go_on), {}}, [self = shared_from_this()](error_code failed) {
      if (!failed) self->parse_body();
    });
  }

  void parse_body() {
    error_code failed;
    while (!parser_->is_done() && buffer_.size() > 0 && !failed)
      buffer_.consume(parser_->put(buffer_.data(), failed));
    if (failed && failed != http::error::need_more) return refuse_parsing(failed);
    if (!parser_->is_done()) return read_more(&connection::parse_body);
    handle();
  }

  void handle() {
    stream_->expires_never();
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    version_ = message.version();
    auto asked = to_request(std::move(message), remote_, request_id_);
    if (!asked) return answer_and_close("bad_request", asked.error().why);
    core_->routes.dispatch(std::move(*asked), [self = shared_from_this()](response given) {
      net::post(self->executor_,
                [self, given = std::move(given)]() mutable { self->answer(std::move(given)); });
    });
  }

  void answer(response given) {
    body_share_.reset();
    if (given.tunnel) return answer_tunnel(std::move(given));
    if (given.status == 101)
      given = problem_response(kind_named("internal"), "an upgrade without a socket", request_id_);
    chunked_ = given.stream && version_ >= 11;
    // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
    keep_alive_ = keep_alive_ && !closing_ && (chunked_ || !given.stream);
    header_ = header_text(given, {version_, keep_alive_, chunked_});
    body_ = head_only_ ? std::string() : std::move(given.body);
    source_ = head_only_ ? nullptr : std::move(given.stream);
    stream_->expires_after(limits().write_max);
    stream_->write({net::buffer(header_), net::buffer(body_)},
                   [self = shared_from_this()](error_code failed) {
                     if (failed) return;
                     if (self->source_) return self->write_chunk();
                     self->answered();
                   });
  }

  // Made off the lane: it reads the bulk log.
  void write_chunk() {
    net::post(core_->work, [self = shared_from_this()] {
      std::string chunk;
      bool more = true;
      while (more && chunk.empty())
        more = self->source_(chunk);  // An empty one would end the body.
      net::post(self->executor_, [self, more, chunk = std::move(chunk)]() mutable {
        self->send_chunk(more, std::move(chunk));
      });
    });
  }

  void send_chunk(bool more, std::string chunk) {
    if (!more) source_ = nullptr;
    header_ = chunked_ ? chunk_header(more ? chunk.size() : 0) : std::string();
    body_ = std::move(chunk);
    if (chunked_) body_ += "\r\n";
    stream_->expires_after(limits().write_max);
    stream_->write({net::buffer(header_), net::buffer(body_)},
                   [self = shared_from_this()](error_code failed) {
                     if (failed) return;
                     if (self->source_) return self->write_chunk();
                     self->answered();
                   });
  }

  void answered() {
    body_.clear();
    body_.shrink_to_fit();
    if (keep_alive_) return await_request();
    stream_->end_sending();
    stream_->expires_after(linger_max);
    linger(0);
  }

  void linger(std::size_t dropped) {
    buffer_.clear();
    if (dropped > linger_bytes_max) return stream_->close();
    stream_->discard_some(buffer_.prepare(read_bytes), [self = shared_from_this(), dropped](
                                                           error_code failed, std::size_t size) {
      if (failed) return self->stream_->close();
      self->linger(dropped + size);
    });
  }

  void answer_tunnel(response given) {
    header_ = header_text(given, {version_, true, false});
    stream_->write({net::buffer(header_), {}},
                   [self = shared_from_this(), inside = given.tunnel](error_code failed) {
                     if (failed) return;
                     self->stream_->expires_never();
                     const auto early = self->buffer_.data();
                     join_tunnel(std::move(self->stream_), inside,
                                 std::string(static_cast<const char*>(early.data()), early.size()),
                                 self->core_->connections, self->core_);
                   });
  }

  void refuse_parsing(error_code why) {
    if (why == http::error::header_limit)
      return answer_and_close("headers_too_large", "the request line and headers are too large");
    if (why == http::error::body_limit)
      return answer_and_close("payload_too_large", "the body is too large");
    answer_and_close("bad_request", "not HTTP: " + why.message());
  }

  void answer_and_close(std::string_view code, std::string_view message) {
    keep_alive_ = false;
    auto refused = problem_response(kind_named(code), message, request_id_);
    refused.headers["X-Request-Id"] = request_id_;
    answer(std::move(refused));
  }

  std::shared_ptr<gateway_core> core_;
  std::unique_ptr<byte_stream> stream_;
  net::any_io_executor executor_;  // the stream's; outlives a stream that was given away
  std::string remote_;
  std::shared_ptr<void> entry_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string request_id_;
  std::shared_ptr<void> body_share_;
  std::string header_;
  std::string body_;
  body_stream source_;
  unsigned version_{11};
  bool keep_alive_{};
  bool head_only_{};
  bool chunked_{};
  bool idle_{};
  bool closing_{};
};

}  // namespace

void serve_connection(const std::shared_ptr<gateway_core>& core, net::ip::tcp::socket socket) {
  error_code failed;
  const auto remote = socket.remote_endpoint(failed);
  if (failed) return;
  auto stream = core->tls ? tls_server_stream(std::move(socket), *core->tls)
                          : plain_stream(std::move(socket));
  auto served = std::make_shared<connection>(core, std::move(stream), remote.address().to_string());
  served->begin(core->connections->enter(served));
}

}  // namespace berth::gateway
