// What happened to a host (schemas/host.fbs).
#pragma once

#include <string>
#include <variant>

#include "events/host/commands.hpp"

namespace berth::host {

struct registered {
  std::string boot;
  std::string provider;
  timestamp at;
  bool operator==(const registered&) const = default;
};
struct alive_seen {
  timestamp until;
  timestamp at;
  bool operator==(const alive_seen&) const = default;
};

struct cordoned {
  timestamp at;
  bool operator==(const cordoned&) const = default;
};
struct uncordoned {
  timestamp at;
  bool operator==(const uncordoned&) const = default;
};

using event = std::variant<registered, alive_seen, cordoned, uncordoned>;

}  // namespace berth::host
