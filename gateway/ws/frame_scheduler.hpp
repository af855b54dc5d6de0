// What leaves a connection next: strict priority between lanes, deficit round robin (Shreedhar and
// Varghese, 1995) within the last one, so that no channel holds the socket for longer than its
// share.
//
//   control      answers, acknowledgements, errors: first in, first out
//   interactive  queues marked interactive that hold less than 512 bytes: the echo of a keystroke
//   bulk         every other queue: 16 KiB a turn
//
// Frames of one queue leave in the order they came; output of a terminal that waits is joined into
// frames of up to 4 KiB. Plain and deterministic; one caller (the
// connection's strand).
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "gateway/ws/frame.hpp"

namespace berth::wire {

inline constexpr std::size_t interactive_bytes_max = 512;
inline constexpr std::size_t joined_bytes_max = 4 * 1024;
inline constexpr std::size_t quantum_bytes = 16 * 1024;
inline constexpr std::size_t batch_bytes_max =
    64 * 1024;  // of one message, unless a single frame is larger

// What a frame weighs in queues: its bytes on the wire, nearly.
std::size_t weight_of(const frame& what);

class frame_scheduler {
 public:
  // A queue: a channel's, or a response's body.
  using key = std::uint64_t;

  void push_control(frame what);
  void push(key queue, frame what, bool interactive);
  // The frames of the next message, in order; none if nothing waits.
  std::vector<frame> next();
  // Forgets what the queue holds.
  void drop(key queue);

  bool empty() const { return bytes_ == 0; }
  std::size_t bytes() const { return bytes_; }
  std::size_t control_bytes() const { return control_bytes_; }
  std::size_t bytes_of(key queue) const;
  std::size_t frames_of(key queue) const;

 private:
  struct lane_queue {
    std::deque<frame> frames;
    std::size_t bytes{};
    std::size_t deficit{};
    bool interactive{};
    bool in_turn{};  // got its quantum for the present turn
  };
  struct batch {
    std::vector<frame> frames;
    std::size_t bytes{};
    bool takes(std::size_t weight) const {
      return frames.empty() || bytes + weight <= batch_bytes_max;
    }
  };
  static bool join(frame& last, const frame& next);
  bool take_front(lane_queue& from, batch& into);
  bool take_control(batch& into);
  bool take_interactive(batch& into);
  void take_bulk(batch& into);

  std::deque<frame> control_;
  std::unordered_map<key, lane_queue> queues_;
  std::deque<key> quick_;  // non-empty queues; each is in exactly one of the two
  std::deque<key> turns_;
  std::size_t bytes_{};
  std::size_t control_bytes_{};
};

}  // namespace berth::wire
