// A terminal on a channel: the client's frames to the kernel's attachment, the kernel's output to
// the client.
//
//   client: consumed ……… until                 the client's window, at most 1 MiB of it counts
//   kernel:    consumed …… received …… granted  granted <= until, and at most a grant above
//   received
//
// What is queued for a slow client is bounded by the grants; beyond them its place is kept by the
// kernel as a cursor.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "gateway/ws/ws_channel.hpp"
#include "gateway/ws/ws_limits.hpp"

namespace berth::gateway {

class terminal_channel : public ws_channel, public std::enable_shared_from_this<terminal_channel> {
 public:
  terminal_channel(channel_host& host, std::uint32_t number) : host_{host}, number_{number} {}
  void start(const wire::open& asked);
  void received(wire::payload what) override;
  void drained() override;

 private:
  class relay;  // the kernel's viewer: posts everything to the strand
  struct typed {
    std::uint64_t sequence;
    std::string bytes;
  };

  void attached(outcome<attached_terminal> result);
  void refused(const rejection& why);
  // Runs `event` now, or once `opened` was sent: the kernel may deliver before it says that it
  // attached.
  void deliver(std::function<void()> event);

  void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip, std::size_t size);
  void snapshot(const wire::snapshot& what, const shared_bytes& bytes);
  void applied(std::uint64_t sequence);
  void durable(std::uint64_t offset);
  void send(wire::payload what, bool small = false);

  void take(const wire::credit& given);
  void take(wire::input what);
  void take(const wire::resize& what);
  void take(const wire::take_drive&);
  void refused_by_agent(std::uint64_t sequence, const rejection& why);
  void drop(std::uint64_t sequence);
  void refuse_for_now(std::uint64_t sequence, const std::string& why);
  void say_refused(std::uint64_t sequence, const rejection& why);
  void grant();
  std::uint64_t grant_limit() const;

  channel_host& host_;
  const std::uint32_t number_;
  wire::open asked_;
  std::shared_ptr<relay> relay_;
  std::shared_ptr<terminal_attachment> attachment_;
  std::vector<std::function<void()>> early_;
  std::vector<typed> early_input_;

  std::uint64_t until_{};  // as the client said, cut to the window
  std::uint64_t consumed_{};
  std::uint64_t received_{};  // one past the last byte the kernel delivered
  std::uint64_t granted_{};   // as told to the kernel
  bool grant_waits_{};
  std::uint64_t durable_{};
  std::uint64_t durable_told_{};

  // Input on its way to the agent, which answers in order; a retry stands beside its first try.
  struct sent_input {
    std::uint64_t sequence{};
    std::size_t bytes{};
    bool behind_refused{};  // an earlier number was refused since, and the client was told
  };
  std::deque<sent_input> unapplied_;
  std::size_t unapplied_bytes_{};
  std::uint64_t applied_{};       // the highest number known to be applied
  std::uint64_t refused_from_{};  // 0 = none; later input is dropped until this one comes again
  std::uint64_t dropped_from_{};  // the lowest dropped since, 0 = none
  std::uint64_t dropped_last_{};  // … and the highest
};

}  // namespace berth::gateway
