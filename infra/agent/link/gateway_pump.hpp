// Joins connections that came through agents' gateway doors with the server's own gateway on a
// loopback port, and carries bytes both ways until both sides are done. Bounded: 64 KiB a
// direction, and so many connections an environment: the gateway's are for everyone. What is over
// that is closed at once, before it waits for the reactor whose thread carries the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "events/core/ids.hpp"
#include "infra/agent/link/agent_reactor.hpp"

namespace berth::agent {

class gateway_pumps {
 public:
  static constexpr unsigned connections_per_environment_max = 64;

  explicit gateway_pumps(agent_reactor& reactor);
  // Takes the descriptor. If the gateway cannot be reached or the environment has as many as it
  // may, both sides are closed. Any thread.
  void join(const environment_id& from, int from_inside, std::uint16_t gateway_port);

 private:
  struct places {
    std::mutex mutex;
    std::map<environment_id, unsigned> counts;
  };
  // Given back when the last copy goes; none if the environment has no place left.
  std::shared_ptr<void> place_for(const environment_id& from);

  agent_reactor& reactor_;
  std::shared_ptr<places> open_;
};

}  // namespace berth::agent
