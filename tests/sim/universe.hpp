// One seeded universe: a server with clients, terminals and hosts, and a machine that fails in the
// ways its swarm of faults allows. One seed decides everything; run() checks the promises of DESIGN
// §4 as it goes and again at the end, and returns the first one that was broken.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/clients.hpp"
#include "tests/sim/terminals.hpp"
#include "tests/sim/wire_clients.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

// Plain numbers: they are added up in memory shared by several processes.
struct universe_stats {
  std::uint64_t universes{}, commands{}, sends{}, accepted{}, crashes{}, power_cuts{}, faults{},
      fault_kinds{}, terminal_bytes{}, checks{}, with_gateway{}, connections{}, resumes{},
      commits_folded{}, log_commits{}, log_leads{}, log_skipped{};
  void operator+=(const universe_stats& other);
};

class universe {
 public:
  explicit universe(const universe_options& options);
  ~universe();
  // What was broken, or nothing.
  std::optional<std::string> run();
  universe_stats stats() const;
  // Hash of everything that became durable, and of every frame heard: equal for equal seeds.
  std::uint64_t trace_hash() const { return check_.trace() ^ (wire_ ? wire_->trace() : 0); }

 private:
  void round();
  void use_gateway();
  void client_step();
  void run_server(std::size_t steps);
  void pass(microseconds by);
  void fault_step();
  void disk_fault();
  void host_fault();
  void clock_fault();
  void rot();
  void end_rot();
  void end_process();  // SIGKILL or a power cut, and a new start
  void cut_power();
  void bring_back_stale_record();
  void start_again();
  void finish();
  void check_world();
  testing::call_fate fate_of(testing::host_call call);

  universe_options options_;
  fault_plan faults_;
  testing::seeded_random random_;  // of the universe's own decisions
  testing::simulated_server server_;
  checker check_;
  world world_;
  terminals terminals_;
  clients clients_;
  // In a share of the universes: they are dear.
  std::optional<sim_views> views_;
  std::optional<wire_clients> wire_;
  universe_stats stats_;
  std::map<environment_id, std::uint64_t> losses_allowed_;
  std::uint64_t client_steps_{};
  std::chrono::seconds set_back_{};  // by how much the clock was, in all
  struct rotten_bit {
    std::uint64_t offset{};
    std::size_t byte{};
    unsigned bit{};
  };
  std::optional<rotten_bit> rotten_;
};

}  // namespace berth::sim
