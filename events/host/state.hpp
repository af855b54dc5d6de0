// A machine on which environments run; how long it was last known to be alive bounds what may be
// billed.
#pragma once

#include <string>

#include "events/host/commands.hpp"

namespace berth::host {

struct state {
  std::string boot;
  std::string provider;
  timestamp registered_at;
  timestamp alive_until;
  bool is_cordoned{};
  bool operator==(const state&) const = default;
};

}  // namespace berth::host
