// Long seeded tests run a tenth of their cases under sanitizers: those are there for the kinds of
// thing that happen, not for their number.
#pragma once

namespace berth::testing {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int tenth_if_sanitized = 10;
#else
inline constexpr int tenth_if_sanitized = 1;
#endif

}  // namespace berth::testing
