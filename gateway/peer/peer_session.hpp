// One connection to another node, from its greeting to its end: frames go to the calls of either
// side. On the connections' thread.
#pragma once

#include <optional>

#include "gateway/peer/local_calls.hpp"
#include "gateway/peer/peer_link.hpp"
#include "gateway/peer/remote_kernel.hpp"

namespace berth::gateway::peer {

class peer_network;

class peer_session : public peer_link::user, public std::enable_shared_from_this<peer_session> {
 public:
  // `expected`: the ordinal that was dialled.
  peer_session(peer_network& of, std::unique_ptr<byte_stream> over, const local_services& with,
               std::optional<std::uint32_t> expected);
  void start();
  void frame(frame_kind kind, std::uint64_t id, std::string_view body) override;
  void closed(const std::string& why) override;

  peer_link& link() { return *link_; }
  const std::shared_ptr<remote_kernel>& kernel() const { return kernel_; }
  std::optional<std::uint32_t> ordinal() const { return ordinal_; }

 private:
  void greet(std::string_view body);

  peer_network& network_;
  const std::shared_ptr<peer_link> link_;
  const std::shared_ptr<local_calls> calls_;
  std::shared_ptr<remote_kernel> kernel_;
  std::optional<std::uint32_t> ordinal_;
  bool is_greeted_{};
};

}  // namespace berth::gateway::peer
