// Base64 (RFC 4648): standard with padding for bodies, URL-safe without padding for JWTs. Strict
// when decoding: no white space, no wrong length, no set bits beyond the last byte. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::gateway {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace berth::gateway
