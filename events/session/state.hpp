// One principal's use from one device. Outlives sockets; ends on logout, revocation or 30 idle
// days.
#pragma once

#include <set>
#include <string>

#include "events/session/commands.hpp"

namespace berth::session {

inline constexpr auto idle_max = std::chrono::hours{24 * 30};
inline constexpr std::size_t connections_max =
    64;  // attached at once; the oldest of a crashed server are replaced

struct state {
  bool exists{};
  account_id account;
  token_id token;
  std::string client;
  input_stream_id input_stream;
  timestamp opened_at;
  timestamp last_seen;
  std::set<std::string> connections;
  bool closed{};
  session::close_reason close_reason{};
  bool operator==(const state&) const = default;
};

}  // namespace berth::session
