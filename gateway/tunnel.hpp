// Joins a client's connection with a socket a route was given (port forwarding): bytes both ways, half-closes carried
// over, closed when both sides ended or nothing moved for tunnel_idle_max.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "gateway/connection_table.hpp"
#include "gateway/descriptor.hpp"

namespace berth::gateway {

inline constexpr std::size_t tunnel_buffer_bytes = 64 * 1024;
inline constexpr std::chrono::minutes tunnel_idle_max{60};

// `early` are bytes the client sent right behind its request. `keep` is held until the end.
void join_tunnel(boost::beast::tcp_stream client, std::shared_ptr<const int> inside, std::string early,
                 std::shared_ptr<connection_table> connections, std::shared_ptr<const void> keep);
void join_tunnel(boost::asio::ssl::stream<boost::beast::tcp_stream> client, std::shared_ptr<const int> inside,
                 std::string early, std::shared_ptr<connection_table> connections, std::shared_ptr<const void> keep);

}  // namespace berth::gateway
