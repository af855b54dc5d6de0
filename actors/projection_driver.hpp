// The thread that keeps views up to date: follows the journal, folds, answers who waits for a
// position. Rebuilds are filled behind everything else (ports/background.hpp) until they are near
// the live views; the last way, and the swap, is the thread's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "actors/ports/background.hpp"
#include "projections/projector.hpp"

namespace berth {

struct rebuilt_view {
  std::string name;
  std::uint32_t generation{};
  std::uint64_t checkpoint{};  // how many commits are folded; of one partition its offset
  bool identical{};            // same rows as the generation it replaced, at the same checkpoints
};

class projection_driver {
 public:
  // `on_failure` is told an error of journal or store; the thread then stops folding. `behind`:
  // nothing = who asks for a rebuild fills it.
  projection_driver(journal& log, view_store& views,
                    std::function<void(const journal_error&)> on_failure,
                    background* behind = nullptr);
  ~projection_driver();  // stops; who waits is told false
  projection_driver(const projection_driver&) = delete;

  void start();
  void stop();

  // Calls back true as soon as every live view has folded up to `at`, false after `wait_max`: a
  // position waits for its partition alone, heads_of(journal) for all. Any thread; the callback
  // runs on the driver's thread or, if it is so already, at once.
  void when_projected(const journal_cursor& at, std::chrono::milliseconds wait_max,
                      std::function<void(bool)> then);
  journal_cursor projected() const;

  // Rebuilds a view (empty: all) beside the live one. Blocks the caller, not the views; nothing if
  // another rebuild runs or the driver stops. `done` counts commits.
  std::optional<std::vector<rebuilt_view>> rebuild(
      const std::string& name, const std::function<void(std::uint64_t done)>& progress);
  bool knows(const std::string& view) const;
  // Whoever waits for a rebuild is answered nothing, now and later; the views live on as they are.
  void end_rebuilds();

 private:
  struct waiter {
    journal_cursor at;
    std::chrono::steady_clock::time_point until;
    std::function<void(bool)> then;
  };
  void run();
  void fold(std::unique_lock<std::mutex>& lock);
  void tell_waiters(std::unique_lock<std::mutex>& lock, bool all);
  std::optional<std::vector<rebuilt_view>> rebuild_beside(
      const std::string& name, const std::function<void(std::uint64_t done)>& progress);
  // False: it stopped, or on_failure_ was told.
  bool fill(std::vector<view_target>& filling,
            const std::function<void(std::uint64_t done)>& progress);
  bool swap(const std::vector<view_target>& filled,
            const std::function<void(std::uint64_t done)>& progress);
  // Waits for the end of the work; false: the driver stops and it did not run.
  bool run_behind(const std::function<void()>& work);
  bool rebuilds_ended() const;

  journal& log_;
  view_store& views_;
  std::function<void(const journal_error&)> on_failure_;
  background* behind_;
  projector projector_;  // the thread's, under projecting_
  mutable std::mutex projecting_;
  mutable std::mutex mutex_;  // after projecting_
  std::condition_variable woken_;
  std::vector<waiter> waiters_;
  journal_cursor projected_;
  bool is_behind_{true};  // the journal
  bool stopping_{};
  bool filling_{};
  bool rebuilds_ended_{};
  bool rebuilding_{};  // the thread has the last way to go
  std::shared_ptr<void> subscription_;
  std::thread thread_;
};

}  // namespace berth
