// The live side of one terminal: output coming in from the agent, going out to viewers at their
// credit's pace, and to the bulk log. Plain and deterministic: one caller (the terminal's actor),
// no thread, no clock of its own.
//
//   agent offsets:  0 …… first(bulk) …… durable …… [hot ring ………… end)         viewer: cursor <=
//   credit_until
//
// Rules: a chunk is forwarded at once and appended to the bulk log (the one exception to
// durable-before-seen); repeats are cut; a hole is answered by following the agent again from
// `end`. `exact` viewers get every byte from their cursor; a `screen` viewer that lags gets
// gap[a,b) and a snapshot at b. Viewers never slow the PTY except the driver, whose credit bounds
// what the agent reads (term.md §5.7).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "actors/screen_tracker.hpp"

namespace berth::actors {

struct stream_viewer {
  attach_mode mode{};
  attach_right right{};
  session_id session;
  std::uint64_t cursor{};
  std::uint64_t credit_until{};
  bool wants_snapshot{};  // screen: paint before the next byte
  timestamp credited_at;
  std::shared_ptr<terminal_viewer> out;
  bool is_over{};  // it was told that it failed
};

class terminal_stream {
 public:
  // `later` and `progressed`: as screen_tracker has them; after `progressed` pump() again.
  terminal_stream(terminal_id id, const kernel_options& options, std::uint16_t cols,
                  std::uint16_t rows, screen_tracker::work_later later = {},
                  std::function<void()> progressed = {});

  // Where the agent should go on: one past the last byte here or in the bulk log.
  std::uint64_t end() const { return end_; }
  std::uint64_t durable() const { return durable_; }
  std::uint64_t hot_bytes() const { return hot_bytes_; }  // of memory, for viewers close behind

  enum class taken {
    all,
    hole,
    refused
  };  // refused: the bulk log's queue is full, try again later
  taken chunk(std::uint64_t offset, const shared_bytes& data);
  void synced(std::uint64_t durable);
  void resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows);
  void driver_is(const session_id& driver);
  void ended(const terminal::ended& end);

  // An error instead of a viewer: expired, or truncated beyond the end of an ended terminal.
  outcome<std::uint64_t> attach(stream_viewer viewer);
  void detach(std::uint64_t viewer) { viewers_.erase(viewer); }
  void credit(std::uint64_t viewer, std::uint64_t consumed, std::uint64_t until, timestamp now);
  stream_viewer* find(std::uint64_t viewer);
  std::size_t viewer_count() const { return viewers_.size(); }

  // Delivers what credit allows, a bounded amount a viewer. True: somebody has more to get, call
  // again.
  bool pump();

  // Up to where the agent may read the PTY now.
  std::uint64_t read_until(timestamp now) const;

 private:
  struct hot_chunk {
    std::uint64_t offset;
    shared_bytes data;
  };
  static constexpr std::uint64_t hot_chunk_overhead = 128;  // of the heap, beside its bytes

  void forget_delivered();
  bool pump(stream_viewer& viewer);
  bool deliver(stream_viewer& viewer, std::uint64_t until);
  bool paint(stream_viewer& viewer);
  bool unreadable(stream_viewer& viewer);
  static rejection expired(std::uint64_t first);
  std::optional<hot_chunk> find_bytes(std::uint64_t from);
  void finish(stream_viewer& viewer);

  terminal_id id_;
  const kernel_options& options_;
  std::uint64_t end_{};
  std::uint64_t durable_{};
  std::deque<hot_chunk> hot_;
  std::uint64_t hot_bytes_{};
  std::uint64_t next_viewer_{};
  std::map<std::uint64_t, stream_viewer> viewers_;
  session_id driver_;
  std::optional<terminal::ended> ended_;

  std::uint16_t cols_{}, rows_{};
  screen_tracker screen_;
};

}  // namespace berth::actors
