// What a host records about itself.
#pragma once

#include <string>
#include <variant>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::host {

struct enlist {
  std::string boot;
  std::string provider;
};  // `boot`: the machine's boot id
struct record_alive {
  timestamp until;
};

// No new environment is placed on it; those that are there stay.
struct cordon {};
struct uncordon {};

using command = std::variant<enlist, record_alive, cordon, uncordon>;

}  // namespace berth::host
