// JSON Web Tokens, HS256 only (RFC 7519, 7515). The header must be exactly the one written here: no
// algorithm is negotiated. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "events/core/ids.hpp"
#include "events/core/rejection.hpp"
#include "events/core/time.hpp"

namespace berth::gateway {

struct jwt_claims {
  account_id account;    // sub
  token_id token;        // tid: the API token it was made from; revoking that ends this
  timestamp issued_at;   // iat, whole seconds
  timestamp expires_at;  // exp, whole seconds
};

std::string sign_jwt(const std::array<std::uint8_t, 32>& server_key, const jwt_claims& claims);
// unauthenticated, saying why: not a JWT, other header, bad signature, expired, not yet valid,
// missing claim.
outcome<jwt_claims> verify_jwt(const std::array<std::uint8_t, 32>& server_key,
                               std::string_view text, timestamp now);

}  // namespace berth::gateway
