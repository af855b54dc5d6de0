// The account's events on a channel: everything behind the cursor, then what happens, in journal
// order, at the pace the client reads. The log is the queue: nothing but cursors are kept for a
// slow client.
#pragma once

#include "events/core/journal_cursor.hpp"
#include "gateway/ws/ws_channel.hpp"

namespace berth::gateway {

class feed_channel : public ws_channel, public std::enable_shared_from_this<feed_channel> {
 public:
  feed_channel(channel_host& host, std::uint32_t number) : host_{host}, number_{number} {}
  void start(const wire::open& asked);
  void received(wire::payload what) override;
  void drained() override;

 private:
  std::string tag() const;
  // Looks once the view has folded the journal's present heads; one look at a time.
  void look_soon();
  void look(const journal_cursor& heads, bool projected);
  void send(const commit& happened);

  channel_host& host_;
  const std::uint32_t number_;
  journal_cursor after_;   // the client's
  journal_cursor looked_;  // nothing of the account is between the two: need not be looked at again
  bool looking_{};
  bool again_{};
  std::shared_ptr<void> following_;
};

}  // namespace berth::gateway
