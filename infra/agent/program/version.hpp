// What this build calls itself.
#pragma once

namespace berth::agent {
inline constexpr const char* build_name = BERTH_VERSION;
}
