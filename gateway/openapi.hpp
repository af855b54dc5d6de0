// docs/openapi.yaml as it was at build time.
#pragma once

#include <string_view>

namespace berth::gateway {
std::string_view openapi_yaml();
}  // namespace berth::gateway
