// Joins a client's connection with a socket a route was given (port forwarding): bytes both ways,
// half-closes carried over, closed when both sides ended.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "gateway/byte_stream.hpp"
#include "gateway/connection_table.hpp"
#include "gateway/descriptor.hpp"

namespace berth::gateway {

inline constexpr std::size_t tunnel_buffer_bytes = 64 * 1024;
inline constexpr std::chrono::milliseconds tunnel_write_max{
    60'000};  // for a client that takes nothing

// `early` are bytes the client sent right behind its request. `keep` is held until the end.
void join_tunnel(std::unique_ptr<byte_stream> client, std::shared_ptr<const int> inside,
                 std::string early, const std::shared_ptr<connection_table>& connections,
                 std::shared_ptr<const void> keep);

}  // namespace berth::gateway
