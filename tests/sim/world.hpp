// What the parts of one universe share.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/sim/checker.hpp"
#include "tests/sim/faults.hpp"
#include "tests/support/simulated_server.hpp"

namespace berth::sim {

// Which universe, and what of it is left out: the shrinker's handles.
struct universe_options {
  std::uint64_t seed{};
  unsigned rounds{98};
  std::uint32_t faults_off{};             // bits of `fault`
  std::set<std::uint64_t> steps_skipped;  // of clients
  unsigned gateway_in{12};                // the gateway and views live in one of so many
  bool traced{};
};

struct world {
  testing::simulated_server& server;
  checker& check;
  fault_plan& faults;
  bool traced{};

  // One line of the trace; printed at once, because the next step may abort.
  template <class... Parts>
  void note(fmt::format_string<Parts...> text, Parts&&... parts) {
    if (!traced) return;
    fmt::print("{:>14} {}\n", to_us(server.clock.now()) % 1'000'000'000'000,
               fmt::format(text, std::forward<Parts>(parts)...));
  }
};

}  // namespace berth::sim
