// The real projector over views in memory, as a part of a simulated server: it folds a random
// number of commits when its turn comes, dies with the server, between any two of a step's writes,
// and loses what was not synced if the machine dies too. finish() compares what was kept up with
// views rebuilt from nothing, row for row, and the bill with a sum made from the journal alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "tests/support/simulated_server.hpp"

namespace berth::sim {

struct view_stats {
  std::uint64_t commits_folded{}, checks{};
};

class sim_views final : public testing::simulated_part {
 public:
  explicit sim_views(testing::simulated_server& server);  // joins it
  ~sim_views() override;

  const view_store& store() const;
  // services::when_projected, on the simulated clock.
  void when_projected(const journal_cursor& at, std::chrono::milliseconds wait_max,
                      std::function<void(bool)> then);
  journal_cursor projected() const;
  void rebuild_soon();  // beside the live views, from now on

  // Catches up and compares. What was broken, or nothing.
  std::optional<std::string> finish();
  const std::optional<std::string>& broken() const { return broken_; }
  const view_stats& stats() const { return stats_; }

  bool step() override;
  std::optional<timestamp> next_timer() const override;
  void fire_timers() override;
  void crashing() override;
  void booted() override;

 private:
  class mortal_store;  // the memory store; its writes fail once the process is to die
  struct waiter {
    journal_cursor at;
    timestamp until;
    std::function<void(bool)> then;
  };
  void fold(std::size_t commits_max);
  void tell_waiters();
  void fail(std::string what);
  void compare_with_rebuilt();
  void compare_bills();

  testing::simulated_server& server_;
  std::unique_ptr<mortal_store> store_;
  std::unique_ptr<projector> projector_;
  std::vector<waiter> waiters_;
  journal_cursor told_projected_;  // never goes back while a process lives
  std::optional<std::string> broken_;
  view_stats stats_;
};

}  // namespace berth::sim
