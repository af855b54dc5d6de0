// One seeded universe: a server with clients whose answers may be lost, crashes with torn writes at
// any step, hosts that fail or hang, machines that reboot. One seed decides everything; run()
// checks the promises of DESIGN §4 as it goes and again at the end, and returns the first one that
// was broken.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/recording_viewer.hpp"
#include "tests/support/simulated_server.hpp"

namespace berth::sim {

struct universe_stats {
  std::uint64_t commands{}, acknowledged{}, retried{}, crashes{}, faults{}, reboots{},
      terminal_bytes{}, checks{};
  void operator+=(const universe_stats& other);
};

class universe {
 public:
  explicit universe(std::uint64_t seed);
  // What was broken, or nothing.
  std::optional<std::string> run();
  const universe_stats& stats() const { return stats_; }
  // Hash of everything the journal holds at the end: equal for equal seeds.
  std::uint64_t trace() const { return trace_; }

 private:
  struct acknowledged_command {
    stream_id stream;
    stream_version version;
  };
  // A command as its client remembers it, to be retried until it is answered.
  struct client_command {
    std::function<void()> send;
    command_id id;
    bool answered{};
  };
  struct watched_terminal {
    terminal_id id;
    environment_id environment;
    account_id account;
    std::string printed;  // what its program printed, ever
    std::string seen;     // what the client has
    std::string typed;    // input acknowledged or sent, in sequence order
    std::uint64_t input_sent{};
    std::shared_ptr<testing::recording_viewer> viewer;
    bool over{};  // its environment was lost or stopped
  };

  void client_step();
  void fault_step();
  void crash();
  void collect(watched_terminal& each);
  void reattach(watched_terminal& each);
  void print_something();
  template <class A, class Id>
  void ask(const Id& id, typename A::command what, const account_id& account);
  void acknowledged(const account_id& scope, const command_id& id, const stream_id& stream,
                    stream_version version, bool replayed);
  void broken(const std::string& what);
  void check_journal();
  void check_states();
  void check_terminals();
  std::size_t pick(std::size_t of) { return server_.random() % of; }

  testing::simulated_server server_;
  universe_stats stats_;
  std::uint64_t trace_{};
  std::optional<std::string> broken_;
  std::vector<account_id> accounts_;
  std::vector<std::pair<account_id, environment_id>> environments_;
  std::vector<watched_terminal> terminals_;
  std::map<std::pair<account_id, command_id>, acknowledged_command> acknowledged_;
  std::vector<std::function<void()>> unanswered_;  // retried after a crash
  std::set<std::pair<account_id, command_id>> answered_;
  std::map<environment_id, std::uint64_t> losses_;  // agents killed
};

}  // namespace berth::sim
