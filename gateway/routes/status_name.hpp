// Statuses of environments by the names clients use.
#pragma once

#include <optional>
#include <string_view>

#include "events/environment/commands.hpp"

namespace berth::gateway {
std::optional<environment::status> status_named(std::string_view name);  // nothing for ABSENT too
}  // namespace berth::gateway
