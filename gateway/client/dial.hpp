// One attempt to reach a server: resolve, connect, TLS, WebSocket upgrade with the token in its
// header.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "gateway/client/client.hpp"
#include "gateway/ws/ws_transport.hpp"

namespace berth::client {

struct dialled {
  std::shared_ptr<gateway::ws_transport> transport;
};
struct dial_failure {
  client_error why;
  bool final{};  // trying again changes nothing
};
[[noreturn]] void throw_exception_from_error(const dial_failure& error,
                                             const boost::source_location& where);
using dial_result = boost::system::result<dialled, dial_failure>;

// Completes once on `io`, within options.connect_max or little more. Dropping the handle cancels
// (no completion).
std::shared_ptr<void> dial(boost::asio::io_context& io, const client_options& options,
                           std::function<void(dial_result)> done);

}  // namespace berth::client
