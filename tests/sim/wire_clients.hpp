// Clients of a simulated server, through the real gateway: WebSocket connections, channels, hub,
// router and authenticator run in the server's one thread, over a network that delays, cuts and
// falls silent. Each client keeps what a real one keeps (its session and its cursors) and checks
// everything it hears against what was printed, typed, asked and recorded.
//
//   sim_views views{server};
//   wire_clients clients{server, views, 3};    // both join the server: step(), pass(), crash(),
//                                              // boot() include them
//   … clients.act(); server.step(); server.crash(); server.boot(); …
//   clients.finish();                          // calm weather; everything must have arrived
//
// They make accounts, environments and terminals of their own, and print to those only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/sim/sim_views.hpp"
#include "tests/support/simulated_server.hpp"

namespace berth::sim {

struct wire_stats {
  std::uint64_t connections{}, resumes{}, bytes{}, requests{}, checks{};
};

class wire_clients final : public testing::simulated_part {
 public:
  // Joins the server, which outlives it; kills it at the end if it still runs. `views` too.
  wire_clients(testing::simulated_server& server, sim_views& views, std::size_t clients);
  ~wire_clients() override;

  // One random thing somebody does: prints, types, asks, opens, cuts, stalls, hands over …
  void act();
  // No more accidents; passes time until everybody has everything. What was broken, or nothing.
  std::optional<std::string> finish();

  const std::optional<std::string>& broken() const;
  const wire_stats& stats() const;
  std::uint64_t trace() const;  // of every frame heard: equal for equal seeds

  bool step() override;
  std::optional<timestamp> next_timer() const override;
  void fire_timers() override;
  void crashing() override;
  void booted() override;

 private:
  struct parts;
  std::unique_ptr<parts> all_;
};

}  // namespace berth::sim
