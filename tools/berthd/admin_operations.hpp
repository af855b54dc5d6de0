// What the admin socket does.
#pragma once

#include "actors/projection_driver.hpp"
#include "tools/berthd/admin_socket.hpp"

namespace berth::berthd {

struct server_status {
  std::string url;
  std::uint64_t head{};
  std::size_t environments_running{};
};
std::map<std::string, admin_socket::operation> admin_operations(
    projection_driver& views, std::function<server_status()> status);

}  // namespace berth::berthd
