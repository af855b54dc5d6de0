// Where programs inside reach the server's gateway: a loopback port and a unix socket. Each
// accepted connection is handed over whole; while nobody can take it, it waits in the listener's
// backlog.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "infra/agent/loop/event_loop.hpp"

namespace berth::agent {

class gateway_door {
 public:
  gateway_door(event_loop& loop, std::function<void(unique_fd)> accepted);
  ~gateway_door();
  // What cannot be bound is left out and said in `problems`.
  void listen(std::uint16_t port, const std::string& socket_path,
              std::vector<std::string>& problems);
  void open(bool anybody_listens);

 private:
  event_loop& loop_;
  std::function<void(unique_fd)> accepted_;
  std::vector<unique_fd> listeners_;
};

// A listening unix stream socket at `path`, replacing what was there.
unique_fd listen_unix(const std::string& path, mode_t mode);

}  // namespace berth::agent
