#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "gateway/core.hpp"
#include "gateway/problem.hpp"

namespace berth::gateway {
namespace {

namespace net = boost::asio;
using net::ip::tcp;

// Out of file descriptors: give the ones in use time to close.
constexpr std::chrono::milliseconds accept_retry{50};

// What a slow link has not taken yet waits in the connection's own queue, where a key's echo
// overtakes a flood, and not in the kernel's.
const net::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT> unsent_bytes_max{32 *
                                                                                           1024};

std::string full_answer() {
  auto refused = problem_response(kind_named("overloaded"),
                                  "the server has as many connections as it takes; try again", "");
  return fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
      refused.body.size(), refused.body);
}

// The answer fits any socket buffer, so the write neither blocks nor needs care.
void refuse_full(const gateway_core& core, tcp::socket socket) {
  if (core.tls) return;
  static const auto text = full_answer();
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(net::buffer(text), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void serve(const std::shared_ptr<gateway_core>& core, tcp::socket socket) {
  if (core->connections->size() >= core->options.limits.connections_max)
    return refuse_full(*core, std::move(socket));
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(net::socket_base::keep_alive(true), ignored);
  socket.set_option(unsent_bytes_max, ignored);
  serve_connection(core, std::move(socket));
}

}  // namespace

void accept_connections(const std::shared_ptr<gateway_core>& core) {
  core->acceptor.async_accept(core->next_lane(), [core](boost::system::error_code failed,
                                                        tcp::socket socket) {
    if (failed == net::error::operation_aborted || !core->acceptor.is_open()) return;
    if (!failed) {
      serve(core, std::move(socket));
      return accept_connections(core);
    }
    spdlog::warn("gateway: accept failed: {}", failed.message());
    auto pause = std::make_shared<net::steady_timer>(core->acceptor.get_executor(), accept_retry);
    pause->async_wait([core, pause](boost::system::error_code) { accept_connections(core); });
  });
}

}  // namespace berth::gateway
