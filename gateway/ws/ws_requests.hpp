// REST requests that came as frames: bodies put together, the router asked, the answer cut into
// frames. Lives on the connection's strand and is destroyed with the connection; answers that come
// later find nobody.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/router.hpp"
#include "gateway/ws/ws_channel.hpp"

namespace berth::gateway {

class ws_requests : public std::enable_shared_from_this<ws_requests> {
 public:
  ws_requests(channel_host& host, const router& routes, std::string remote)
      : host_{host}, routes_{routes}, remote_{std::move(remote)} {}

  void take(wire::request asked);
  void take(std::uint32_t id, const wire::body& part);

 private:
  struct pending {
    request asked;
    std::size_t body_size{};
    bool dispatched{};
  };
  void dispatch(std::uint32_t id);
  void answer(std::uint32_t id, response given);
  void refuse(std::uint32_t id, std::string_view code, std::string_view message);

  channel_host& host_;
  const router& routes_;
  const std::string remote_;
  std::unordered_map<std::uint32_t, pending> pending_;
  std::size_t bodies_bytes_{};  // promised by requests whose body is not whole
};

}  // namespace berth::gateway
