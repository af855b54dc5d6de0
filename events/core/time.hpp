// Points in time are arguments here: events/ has no clock. Microseconds since the Unix epoch, UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

using microseconds = std::chrono::microseconds;
using timestamp = std::chrono::sys_time<microseconds>;

inline std::int64_t to_us(timestamp t) {
  return t.time_since_epoch().count();
}
inline timestamp from_us(std::int64_t us) {
  return timestamp{microseconds{us}};
}

// RFC 3339 with microseconds: 2026-11-21T13:04:05.000001Z.
std::string to_rfc3339(timestamp t);
std::optional<timestamp> parse_rfc3339(std::string_view text);

}  // namespace berth
