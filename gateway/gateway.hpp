// The server's front: HTTP/1.1 and WebSocket over TCP or TLS. Made by tools/berthd, which owns what
// `services` names.
//
//   gateway front(options, services);
//   auto port = front.start();        // refusal: what is wrong with address, certificate or key
//   …
//   front.stop();                     // before anything in `services` is destroyed
#pragma once

#include <cstdint>
#include <memory>

#include "events/core/rejection.hpp"
#include "gateway/options.hpp"
#include "gateway/services.hpp"

namespace berth::gateway {

struct gateway_core;

class gateway {
 public:
  gateway(gateway_options options, services given);
  ~gateway();  // stops
  gateway(const gateway&) = delete;

  // Binds, listens and serves on its own threads. The port it listens on.
  outcome<std::uint16_t> start();
  std::uint16_t port() const;  // 0 before start
  // Takes no more connections, lets requests finish for stop_grace, closes everything. Idempotent;
  // blocks that long.
  void stop();

 private:
  std::shared_ptr<gateway_core> core_;
};

}  // namespace berth::gateway
