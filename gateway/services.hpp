// What the gateway is given by the composition root (tools/berthd). Everything here outlives the
// gateway.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/kernel.hpp"
#include "actors/ports/bulk_log.hpp"
#include "actors/ports/clock.hpp"
#include "actors/ports/environment_host.hpp"
#include "events/core/journal.hpp"
#include "events/core/journal_cursor.hpp"
#include "gateway/auth/hmac.hpp"
#include "projections/view_store.hpp"

namespace berth::gateway {

struct cluster_services {
  struct node {
    std::uint32_t ordinal{};
    std::string address;
    host_id host;
    bool here{};
    bool is_linked{};
    std::uint32_t leads{};         // partitions
    std::uint32_t environments{};  // that run on its machine
    bool takes_environments{};
    bool is_cordoned{};
  };
  std::function<std::vector<node>()> nodes;
  explicit operator bool() const { return static_cast<bool>(nodes); }
};

struct services {
  berth::kernel& kernel;
  const berth::view_store& views;
  berth::journal& journal;        // read and follow only: feeds, sessions that end
  berth::output_reader& bulk;     // recordings, ranges
  berth::environment_host& host;  // templates, capabilities, dial
  const berth::clock& clock;
  std::array<std::uint8_t, 32> server_key{};  // signs JWTs, derives API token secrets
  std::function<std::string()> metrics;       // Prometheus text format
  std::function<bool()> ready;                // serving commands
  // Calls back when every live view has folded up to the cursor, in each of its partitions, or
  // after the deadline with false.
  std::function<void(const journal_cursor&, std::chrono::milliseconds, std::function<void(bool)>)>
      when_projected;
  // Random bytes, for ids nobody chose; a simulation gives a seeded source.
  std::function<void(std::span<std::uint8_t>)> random = fill_random;
  // Where the environment is: environment_host::dial. Empty: `host` has it.
  std::function<void(const environment_id&, std::uint16_t port, host_completion<int>)> dial{};
  // The nodes of a cluster; empty if this server is alone.
  cluster_services cluster{};
};

}  // namespace berth::gateway
