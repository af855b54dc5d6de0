// One life of the gateway in a simulated server: authenticator, router, hub and connections of the
// real one, with a queue of handlers for each connection and one for the hub, so that they
// interleave at random. Timers run on the simulated clock, ids come from the server's generator.
// Outlives its kernel: what the kernel still holds may point here.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "gateway/auth/authenticator.hpp"
#include "gateway/connection_table.hpp"
#include "gateway/router.hpp"
#include "gateway/services.hpp"
#include "gateway/ws/ws_hub.hpp"
#include "tests/sim/sim_views.hpp"
#include "tests/sim/wire_link.hpp"

namespace berth::sim {

inline constexpr std::array<std::uint8_t, 32> wire_server_key{7, 7, 7};

class wire_gateway {
 public:
  wire_gateway(testing::simulated_server& server, sim_views& views);
  ~wire_gateway();

  std::shared_ptr<wire_link> connect(bool json, link_weather weather);
  // Runs one handler, or one thing a socket has to tell.
  bool step();
  std::optional<timestamp> next_timer() const;
  void fire_timers();
  // SIGKILL: nothing of it runs any more, nobody is told.
  void kill();

  std::size_t connections() const { return table_->size(); }
  // A bound or a rule of connections that does not hold now; checked for one connection a call.
  const char* broken_rule();

 private:
  struct lane {
    boost::asio::io_context queue{1};
    std::shared_ptr<wire_link> link;  // none: the hub's
    bool run_one();
  };
  gateway::services services_for(testing::simulated_server& server, sim_views& views);
  std::shared_ptr<void> run_later(std::chrono::milliseconds delay, std::function<void()> run);

  testing::simulated_server& server_;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::vector<std::unique_ptr<lane>> over_;  // the kernel may still post there
  std::multimap<timestamp, std::weak_ptr<std::function<void()>>> timers_;
  std::deque<std::function<void()>> due_;
  gateway::services given_;
  gateway::authenticator auth_;
  gateway::router router_;
  std::shared_ptr<gateway::connection_table> table_;
  std::shared_ptr<gateway::ws_hub> hub_;
};

}  // namespace berth::sim
