// What a connection hands over with its stream when the client asked to upgrade to the WebSocket at
// /api/v1/ws.
#pragma once

#include <memory>
#include <string>

#include "gateway/connection_table.hpp"
#include "gateway/router.hpp"

namespace berth::gateway {

// The references outlive every connection: the gateway's stop() waits for them.
struct upgrade_context {
  const services& given;
  const router& routes;       // for `request` frames
  const authenticator& auth;  // header and cookie: authenticator::credential_of; or the first frame
  std::shared_ptr<connection_table> connections;  // enter() the new owner before returning
  std::shared_ptr<const void> keep;  // owns the io_context: hold it as long as the stream
  std::string remote;                // address of the peer
  std::string request_id;            // of the upgrade request
};

}  // namespace berth::gateway
