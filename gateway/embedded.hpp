// Files of the repository as they were at build time: openapi.yaml, and the schemas of what is
// stored (commit.fbs, environment.fbs …).
#pragma once

#include <optional>
#include <string_view>

namespace berth::gateway {
std::optional<std::string_view> embedded_text(std::string_view name);
}  // namespace berth::gateway
