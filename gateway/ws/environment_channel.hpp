// A watched environment on a channel: its newest durable state, at the pace the client reads.
#pragma once

#include <optional>

#include "gateway/ws/ws_channel.hpp"

namespace berth::gateway {

class environment_channel : public ws_channel,
                            public std::enable_shared_from_this<environment_channel> {
 public:
  environment_channel(channel_host& host, std::uint32_t number) : host_{host}, number_{number} {}
  void start(const wire::open& asked);
  void received(wire::payload what) override;
  void drained() override;

 private:
  void changed(const outcome<answer<environment::aggregate>>& now);
  void send_newest();

  channel_host& host_;
  const std::uint32_t number_;
  environment_id id_;
  std::uint64_t seen_{};  // version the client has
  bool opened_{};
  std::optional<wire::environment_state> newest_;
  std::shared_ptr<void> watch_;
};

}  // namespace berth::gateway
