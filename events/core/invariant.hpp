// BERTH_ASSERT stays on in every build: a wrong event is stored for ever, a crash is not.
#pragma once

namespace berth {
// Writes the message with its place to stderr and aborts.
[[noreturn]] void invariant_failed(const char* condition, const char* file, int line);
}  // namespace berth

#define BERTH_ASSERT(condition)           \
  (static_cast<bool>(condition) ? void(0) \
                                : ::berth::invariant_failed(#condition, __FILE__, __LINE__))
