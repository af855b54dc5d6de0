// Joins a connection that came through an agent's gateway door with the server's own gateway on a
// loopback port, and carries bytes both ways until both sides are done. Bounded: 64 KiB a
// direction. Runs on the reactor's thread.
#pragma once

#include <cstdint>

#include "infra/agent/link/agent_reactor.hpp"

namespace berth::agent {

// Takes the descriptor. If the gateway cannot be reached both sides are closed.
void pump_to_gateway(agent_reactor& reactor, int from_inside, std::uint16_t gateway_port);

}  // namespace berth::agent
