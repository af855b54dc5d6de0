// Who asks. Accepts `Authorization: Bearer <API token or JWT>` and the cookie `berth_token` (a JWT,
// set by POST /api/v1/auth/jwt for browsers: HttpOnly, SameSite=Strict). Never a URL.
//
// Each call reads the account through the kernel, so a revoked token, an expired one and a disabled
// account are refused from the next request on, JWTs made from them included.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/commit.hpp"
#include "events/core/rejection.hpp"
#include "events/core/time.hpp"
#include "gateway/http_message.hpp"

namespace berth::gateway {

struct services;

struct identity {
  principal by;  // actor = the token's id
  bool is_admin{};
  token_id token;
  std::optional<timestamp> expires_at;  // of the credential shown
};

class authenticator {
 public:
  explicit authenticator(const services& given) : given_(given) {}

  // `credential` is an API token or a JWT. The answer comes once, on any thread: unauthenticated
  // says why.
  void authenticate(std::string_view credential, std::function<void(outcome<identity>)> done) const;

  // The credential of a request: header first, then cookie; unauthenticated if there is none. A
  // cookie is refused for methods that change something unless Origin (if sent) names the host
  // asked (CSRF).
  static outcome<std::string> credential_of(const request& asked);

  // A short-lived JWT for the identity; `expires_at` is now + lifetime.
  struct issued {
    std::string jwt;
    timestamp expires_at;
  };
  issued issue_jwt(const identity& who, std::chrono::seconds lifetime) const;

 private:
  const services& given_;
};

inline constexpr std::string_view token_cookie = "berth_token";
inline constexpr std::chrono::seconds jwt_lifetime{900};
inline constexpr std::chrono::seconds jwt_lifetime_max{3600};
inline constexpr std::size_t credential_bytes_max = 4096;

}  // namespace berth::gateway
