// What listener and connections share. Internal to the gateway; owns the io_contexts, and is held
// by every connection, so that an answer from the kernel that comes late still finds its lane.
//
// A connection lives on one of the lanes: an io_context with one thread, which is its strand
// without a lock or a wake-up of a second thread. Nothing there may block; what reads the journal
// or the bulk log runs on `work`.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "gateway/auth/authenticator.hpp"
#include "gateway/connection_table.hpp"
#include "gateway/gateway.hpp"
#include "gateway/router.hpp"

namespace berth::gateway {

class ws_server;

// A share of the bytes of request bodies held at once; returned when destroyed.
class body_budget {
 public:
  explicit body_budget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  std::shared_ptr<void> reserve(std::size_t bytes);  // nullptr if there is no room

 private:
  std::size_t bytes_max_;
  std::atomic<std::size_t> held_{};
};

// What waits when the gateway stops is destroyed without being called: it holds connections, and
// they hold the core.
class droppable_io : public boost::asio::io_context {
 public:
  using io_context::io_context;
  void drop_pending() { shutdown(); }
};

struct gateway_core : std::enable_shared_from_this<gateway_core> {
  gateway_core(gateway_options with, services from);
  ~gateway_core();

  boost::asio::io_context& next_lane();  // in turn; the listener's thread
  void run();
  void end_threads();  // what is still queued is dropped

  gateway_options options;
  services given;
  droppable_io work;
  std::vector<std::unique_ptr<droppable_io>> lanes;
  std::size_t lanes_given{};
  std::optional<boost::asio::ssl::context> tls;
  boost::asio::ip::tcp::acceptor acceptor;
  std::uint16_t port{};
  authenticator auth;
  router routes;
  std::shared_ptr<connection_table> connections;
  body_budget bodies;
  std::unique_ptr<ws_server> websockets;
  std::vector<std::thread> threads;
};

// Accepts until the acceptor is closed (listener.cpp).
void accept_connections(const std::shared_ptr<gateway_core>& core);
// Serves one socket to its end (connection.cpp).
void serve_connection(const std::shared_ptr<gateway_core>& core,
                      boost::asio::ip::tcp::socket socket);

}  // namespace berth::gateway
