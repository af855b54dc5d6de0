// The one table of routes: method and path template -> handler. HTTP connections and WebSocket
// `request` frames both go through dispatch; tests compare the table with docs/openapi.yaml.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/http_message.hpp"

namespace berth::gateway {

struct services;
class authenticator;
class route_metrics;
class router;

// Runs the function once after the delay, on any thread, unless the returned handle is destroyed
// before; a handle that is dropped at once means "run it anyway" only for a delay of zero.
using run_after =
    std::function<std::shared_ptr<void>(std::chrono::milliseconds, std::function<void()>)>;

// What a route may use. All of it outlives every request.
struct api {
  const services& given;
  const authenticator& auth;
  const router& routes;
  const run_after& timers;
  bool secure{};  // clients reach this gateway by TLS
};

enum class access : std::uint8_t { open, user, admin };

struct route {
  std::string_view method;  // "GET" serves HEAD too
  std::string_view path;    // "/api/v1/environments/{environment}/exec"
  access needs{};
  void (*run)(const api&, request, respond);
};

std::span<const route> route_table();

class router {
 public:
  router(const services& given, const authenticator& auth, run_after timers, bool secure);
  router(const router&) = delete;

  // Finds the route, authenticates unless `asked.by` is set already, runs it. `done` is called
  // exactly once, on any thread, whatever happens: 404, 405 with Allow, 401 and 403 are given here.
  // Never throws. Any thread. A route that upgrades the connection (ports/{port}) answers through
  // response::tunnel.
  void dispatch(request asked, respond done) const;

  // For what else waits on behalf of clients.
  const run_after& timers() const { return timers_; }

  // Prometheus text: requests and durations by route and status class.
  std::string metrics() const;

 private:
  struct found {
    const route* target{};
    std::map<std::string, std::string> parameters;
    std::string allow;  // methods of the path, if target is null and the path is known
  };
  found find(std::string_view method, std::string_view path) const;

  run_after timers_;
  api api_;
  std::unordered_map<std::size_t, std::vector<const route*>> by_segments_;
  std::shared_ptr<route_metrics> metrics_;  // shared: an answer may come after the router is gone
};

}  // namespace berth::gateway
