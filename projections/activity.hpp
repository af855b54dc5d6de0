// When an environment was last used, and how: of its own events and its terminals' the newest, of
// several at once the last kind by name. Rows: environment/<id>.
#pragma once

#include <memory>
#include <string>

#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view activity_name = "activity";
std::unique_ptr<projection> make_activity();

struct activity_row {
  timestamp at;
  std::string kind;  // "started", "exec", "terminal", or what a client recorded
};
std::optional<activity_row> decode_activity(std::string_view row);

}  // namespace berth
