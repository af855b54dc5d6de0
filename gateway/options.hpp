// What the gateway is configured with, and every bound it keeps. Sizes in bytes, times by type.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace berth::gateway {

struct gateway_limits {
  std::size_t connections_max{16'384};      // HTTP and WebSocket together; beyond it 503 and close
  std::size_t header_bytes_max{16 * 1024};  // request line and headers; beyond it 431
  std::size_t body_bytes_max{4 * 1024 * 1024};  // beyond it 413
  std::size_t bodies_bytes_max{
      256 * 1024 * 1024};  // request bodies held at once, all connections; beyond it 503
  std::chrono::milliseconds handshake_max{10'000};  // TLS
  std::chrono::milliseconds idle_max{75'000};       // between two requests of a connection
  std::chrono::milliseconds header_max{
      10'000};  // from the first byte of a request to its last header
  std::chrono::milliseconds body_max{30'000};   // from the last header to the last byte
  std::chrono::milliseconds write_max{60'000};  // a chunk of an answer a client doesn't take
  std::chrono::milliseconds stop_grace{3'000};  // for requests being answered when stop() is called
};

struct gateway_options {
  std::string address{"127.0.0.1"};  // without TLS only a loopback address is accepted
  std::uint16_t port{0};             // 0 = any free one; gateway::port() tells
  std::string tls_certificate_file;  // PEM chain; both or neither
  std::string tls_key_file;
  int io_threads{2};
  gateway_limits limits;
};

}  // namespace berth::gateway
