// Connects to ports inside for the server: 127.0.0.1, then ::1.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "infra/agent/loop/event_loop.hpp"

namespace berth::agent {

class dialer {
 public:
  static constexpr std::size_t dials_max = 256;  // under way at a time
  // A connected socket, or none and the reason. Runs once, possibly before dial() returns.
  using answer = std::function<void(unique_fd, const std::string& problem)>;

  explicit dialer(event_loop& loop) : loop_{loop} {}
  void dial(std::uint16_t port, answer done);

 private:
  struct attempt {
    std::uint16_t port{};
    bool second = false;
    answer done;
    event_loop::timer_id timer{};
  };
  void connect(attempt what);
  void failed(attempt what, int error);

  event_loop& loop_;
  std::map<int, attempt> attempts_;  // by descriptor
};

}  // namespace berth::agent
