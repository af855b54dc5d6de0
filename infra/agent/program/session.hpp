// One connection of a server: its channels and what is to be sent on it. Terminal output is never
// queued: it is sent from the ring whenever the socket has nothing else to do, the terminal with
// least to say first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "infra/agent/loop/event_loop.hpp"
#include "infra/agent/program/terminal.hpp"
#include "infra/agent/protocol/frame_socket.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

class session;

class session_owner {
 public:
  virtual ~session_owner() = default;
  virtual void frame_came(session& from, frame&& what) = 0;
  virtual void session_over(session& which,
                            const std::string& why) = 0;  // may destroy it later, not in the call
};

class session {
 public:
  static constexpr std::size_t queued_bytes_max =
      16 * 1024 * 1024;  // of answers; beyond it the server does not read
  static constexpr std::size_t channels_max = 4096;

  session(event_loop& loop, session_owner& owner, unique_fd fd, std::uint64_t number);
  session(const session&) = delete;
  ~session();

  // Queues a control message; it leaves with the next pump().
  void send(std::string packet, unique_fd descriptor = {});
  void send(frame_header header, std::string payload = {});
  void refuse(wire::Problem problem, const std::string& message,
              std::uint64_t epoch_seen = 0);  // and ends it
  void pump();
  void drop() { end("dropped"); }  // now, whatever is queued

  bool bind(std::uint16_t channel, terminal& to);
  terminal* bound(std::uint16_t channel) const;
  std::uint16_t channel_of(const terminal& what) const;  // 0 if none
  void unbind(const terminal& what);
  void follow(std::uint16_t channel, std::uint64_t from);

  // Of this agent's connections, never again: an address is another's as soon as one has ended.
  std::uint64_t number() const { return number_; }
  bool greeted = false;  // Hello was accepted
  bool over() const { return over_; }

 private:
  struct channel {
    terminal* to{};
    std::optional<std::uint64_t> next;  // set while followed
    bool end_told = false;
  };
  void on_events(std::uint32_t events);
  void tell_not_held(std::uint16_t channel, const ring_file& ring, std::uint64_t asked);
  void stop_expired();
  bool send_output();
  void tell_ends();
  void end(const std::string& why);

  event_loop& loop_;
  session_owner& owner_;
  frame_socket socket_;
  std::uint64_t number_;
  std::map<std::uint16_t, channel> channels_;
  std::map<const terminal*, std::uint16_t> by_terminal_;
  std::uint16_t last_sent_ = 0;
  bool over_ = false;
  bool refused_ = false;
};

}  // namespace berth::agent
