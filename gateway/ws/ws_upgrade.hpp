// Where the HTTP server hands a stream over: a parsed GET /api/v1/ws with `Upgrade: websocket`.
//
// The stream's executor must run one handler at a time (a lane): everything a connection
// does runs on it. A connection lives until its socket ends, then leaves context.connections.
// Thread-safe.
#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "gateway/byte_stream.hpp"
#include "gateway/http_convert.hpp"
#include "gateway/upgrade_context.hpp"

namespace berth::gateway {

class ws_hub;

// What WebSocket connections share: one reader of the journal's tail, for feeds and for sessions
// that end. Made once a gateway, destroyed after its connections and before `given`.
class ws_server {
 public:
  // `executor` runs the journal reader; any executor of the gateway's io_context.
  ws_server(const services& given, boost::asio::any_io_executor executor);
  ~ws_server();
  ws_server(const ws_server&) = delete;

  // Answers the upgrade (101, or 400 or 401 with the error body and the end of the connection) and
  // serves it.
  void accept(std::unique_ptr<byte_stream> stream, http_request upgrade, upgrade_context context);

 private:
  std::shared_ptr<ws_hub> hub_;
};

}  // namespace berth::gateway
