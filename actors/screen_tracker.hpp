// The emulator that screens of one terminal are painted from, and how far it has got. It follows
// the output behind the stream: emulating costs more than recording, so what is far behind is read
// from the bulk log in the background, and a screen that is asked for later is soon painted.
//
//   output:  0 ………………… at ……………………… end        at .. end: a piece at a time, elsewhere if it is
//   long
//
// A backlog of more than backlog_bytes_max (a flood of minutes) is not emulated whole: the emulator
// goes on kept_bytes before the end, with the modes it had. One caller; only pieces run elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/kernel_options.hpp"

namespace berth::actors {

class screen_tracker {
 public:
  static constexpr std::uint64_t inline_bytes_max = 64 * 1024;   // more is emulated elsewhere
  static constexpr std::uint64_t behind_bytes_max = 256 * 1024;  // before anybody asks
  static constexpr std::uint64_t backlog_bytes_max = 32 << 20;
  static constexpr std::uint64_t kept_bytes = 4 << 20;

  // Runs `work` elsewhere and afterwards `done` in the caller's turn. Nothing = no elsewhere.
  using work_later = std::function<void(std::function<void()> work, std::function<void()> done)>;

  // `progressed` is called after each piece that ran elsewhere.
  screen_tracker(terminal_id id, const kernel_options& options, std::uint16_t cols,
                 std::uint16_t rows, work_later later, std::function<void()> progressed);

  void grew(std::uint64_t end);  // may begin to catch up
  void resized(std::uint16_t cols, std::uint16_t rows);

  enum class state {
    at_end,
    behind,   // ask again
    working,  // `progressed` will tell
    unreadable
  };
  state catch_up(std::uint64_t end);
  std::uint64_t at() const { return tracked_->at; }
  std::string snapshot() const { return tracked_->emulator->snapshot(); }  // at the end only

 private:
  struct size {
    std::uint16_t cols, rows;
  };
  struct tracked {
    std::unique_ptr<screen> emulator;  // made for the first piece
    std::uint64_t at{};
    bool is_unreadable{};
  };
  static void begin(tracked& one, const kernel_options& options, const terminal_id& id, size as);
  static void skip(tracked& one, const kernel_options& options, const terminal_id& id,
                   std::uint64_t end);
  static void advance(tracked& one, const kernel_options& options, const terminal_id& id, size as,
                      std::uint64_t end, std::uint64_t budget);
  void work_elsewhere();
  void came_back();

  const terminal_id id_;
  const kernel_options& options_;
  size size_;
  const work_later later_;
  const std::function<void()> progressed_;
  std::uint64_t end_{};
  const std::shared_ptr<tracked> tracked_ = std::make_shared<tracked>();  // elsewhere while away
  bool is_away_{};
  bool size_changed_{};  // while away
  // Not tracked_ itself: the work that has just ended may still hold that.
  const std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace berth::actors
