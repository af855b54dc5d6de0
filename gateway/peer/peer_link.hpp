// One connection to another node: TLS both ways, frames in both directions, for as long as both are
// there.
//
//   frame:  size u32 | kind u8 | id u64 | body          (little endian; size counts what follows
//   it)
//
// Either side calls the other: a call's id is its caller's, and what answers it carries the same.
// Any thread may send; frames are told on the connection's own. What is queued is bounded: a node
// that does not read is given up.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "gateway/byte_stream.hpp"

namespace berth::gateway::peer {

enum class frame_kind : std::uint8_t {
  greeting = 1,  // the first each way
  call,          // caller to callee
  note,          // caller to callee: of a call that goes on
  end,           // caller to callee: the call is over
  answer,        // callee to caller, once
  event,         // callee to caller, after the answer
  load,          // what there is to do on a node; also says that it is there
};

inline constexpr std::size_t frame_bytes_max = 16 << 20;
inline constexpr std::size_t queued_bytes_max = 64 << 20;

class peer_link : public std::enable_shared_from_this<peer_link> {
 public:
  class user {
   public:
    virtual ~user() = default;
    virtual void frame(frame_kind kind, std::uint64_t id, std::string_view body) = 0;
    virtual void closed(const std::string& why) = 0;  // the last call, once
  };

  explicit peer_link(std::unique_ptr<byte_stream> over) : stream_{std::move(over)} {}
  // Shakes hands, then sends what is queued and reads; ends in a few seconds unless it is to stay.
  // On the connection's thread.
  void start(std::shared_ptr<user> of);
  void stay() { stream_->expires_never(); }
  void send(frame_kind kind, std::uint64_t id, std::string_view body);
  void close(const std::string& why);
  // Since something was heard.
  std::chrono::milliseconds silence() const;

 private:
  void read();
  void take_frames();
  void flush();
  void end(const std::string& why);  // on the connection's thread
  void heard();

  const std::unique_ptr<byte_stream> stream_;
  std::shared_ptr<user> user_;
  std::string in_;
  std::array<char, 64 * 1024> buffer_;
  std::string writing_;
  bool is_writing_{};
  bool is_ready_{};
  std::atomic<std::int64_t> heard_ns_{};

  std::mutex mutex_;  // guards the two below
  std::string queued_;
  bool over_{};
};

}  // namespace berth::gateway::peer
