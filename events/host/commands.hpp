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

using command = std::variant<enlist, record_alive>;

}  // namespace berth::host
