// The account's events on a channel: everything behind the cursor, then what happens, in journal
// order, at the pace the client reads. The log is the queue: nothing but a position is kept for a
// slow client.
#pragma once

#include "gateway/ws/ws_channel.hpp"

namespace berth::gateway {

class feed_channel : public ws_channel, public std::enable_shared_from_this<feed_channel> {
 public:
  feed_channel(channel_host& host, std::uint32_t number) : host_{host}, number_{number} {}
  void start(const wire::open& asked);
  void received(wire::payload what) override;
  void drained() override;

 private:
  // Looks once the view has folded the journal's present head; one look at a time.
  void look_soon();
  void look(bool projected);
  void send(const commit& happened);

  channel_host& host_;
  const std::uint32_t number_;
  position after_;
  bool looking_{};
  bool again_{};
  std::shared_ptr<void> following_;
};

}  // namespace berth::gateway
