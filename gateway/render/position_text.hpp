// Positions and cursors as clients see them: opaque text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "events/core/ids.hpp"

namespace berth::gateway {
std::string position_text(position at);
std::optional<position> parse_position(std::string_view text);
}  // namespace berth::gateway
