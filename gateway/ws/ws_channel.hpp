// A channel of a connection, and what a connection offers its channels. Everything here runs on the
// connection's strand; kernel callbacks are posted there first.
#pragma once

#include <memory>

#include "gateway/services.hpp"
#include "gateway/ws/frame.hpp"
#include "gateway/ws/ws_strand.hpp"

namespace berth::gateway {

class ws_hub;

// Whose connection this is, known after hello.
struct ws_caller {
  principal by;  // actor = the session
  bool is_admin{};
  token_id token;
  session_id session;
  input_stream_id input_stream;
};

class channel_host {
 public:
  virtual ~channel_host() = default;
  virtual const services& given() const = 0;
  virtual const ws_caller& caller() const = 0;
  virtual ws_hub& hub() = 0;
  virtual ws_strand strand() const = 0;
  // Queued behind what the channel sent before.
  virtual void send(std::uint32_t channel, wire::payload what, bool interactive) = 0;
  // Ahead of all output: acknowledgements and errors.
  virtual void send_now(std::uint32_t channel, wire::payload what) = 0;
  // A part of a large answer, behind the parts before it; takes turns with channels.
  virtual void send_answer(std::uint32_t request, wire::frame what) = 0;
  // `closed` behind what was sent; the channel is destroyed before this returns, or soon after.
  virtual void end_channel(std::uint32_t channel, wire::closed why) = 0;
  virtual std::size_t queued_bytes(std::uint32_t channel) const = 0;
  virtual std::size_t queued_bytes() const = 0;
  virtual bool answers_wait() const = 0;  // something sent by send_now is not written yet
  // `drained` is called once, after the next message was taken from the queues.
  virtual void wake_when_drained(std::uint32_t channel) = 0;
  virtual std::size_t open_channels() const = 0;
};

class ws_channel {
 public:
  virtual ~ws_channel() = default;
  // A frame of the client for this channel, never open or close.
  virtual void received(wire::payload what) = 0;
  // What was asked for by wake_when_drained.
  virtual void drained() {}
};

wire::error error_frame(const rejection& why);
wire::closed closed_frame(const rejection& why);
wire::error not_for_this_channel(const wire::payload& what);

}  // namespace berth::gateway
