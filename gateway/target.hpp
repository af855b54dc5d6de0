// Request targets (RFC 3986): "/a/b?x=1%202" into path and query, decoded. Pure.
#pragma once

#include <string_view>

#include "gateway/http_message.hpp"

namespace berth::gateway {

// Sets into.path and into.query. False if the target is not a path ("*", "http://…"), has a bad
// %-escape, a NUL, or is not UTF-8 after decoding. Of a repeated query name the last value counts.
bool split_target(std::string_view target, request& into);

}  // namespace berth::gateway
