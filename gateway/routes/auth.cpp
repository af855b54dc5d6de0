// GET /api/v1/auth/whoami, POST and DELETE /api/v1/auth/jwt
#include <fmt/format.h>

#include "gateway/auth/authenticator.hpp"
#include "gateway/render/json_of.hpp"
#include "gateway/routes/routes.hpp"
#include "gateway/routes/support.hpp"

namespace berth::gateway::routes {
namespace {

std::string cookie_text(std::string_view value, std::int64_t max_age_s, bool secure) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}", token_cookie, value,
                     max_age_s, secure ? "; Secure" : "");
}

}  // namespace

void show_identity(const api& with, request asked, respond done) {
  const auto by = *asked.by;
  with.given.kernel.read(by.account, by, [asked, done, by](auto read) {
    if (!read) return refuse(asked, done, read.error());
    done(json_response(200, {{"account", json_of(by.account, *read->state, read->version)},
                             {"token_id", by.actor}}));
  });
}

void issue_jwt(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  const std::chrono::seconds lifetime{
      fields
          ->number("lifetime_s", need::optional,
                   {1, static_cast<std::uint64_t>(jwt_lifetime_max.count())})
          .value_or(static_cast<std::uint64_t>(jwt_lifetime.count()))};
  const bool as_cookie = fields->flag("cookie", false);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  const auto credential = authenticator::credential_of(asked);
  if (!credential) return refuse(asked, done, credential.error());
  // The lifetime is bounded by that of the credential shown, so it is looked at again.
  with.auth.authenticate(*credential, [&with, asked, done, lifetime, as_cookie](auto who) {
    if (!who) return refuse(asked, done, who.error());
    const auto issued = with.auth.issue_jwt(*who, lifetime);
    boost::json::object body{{"expires_at", to_rfc3339(issued.expires_at)},
                             {"token_type", "Bearer"}};
    if (!as_cookie) body.emplace("jwt", issued.jwt);
    auto given = json_response(201, std::move(body));
    if (as_cookie)
      given.headers["Set-Cookie"] = cookie_text(issued.jwt, lifetime.count(), with.secure);
    done(std::move(given));
  });
}

void clear_cookie(const api& with, request, respond done) {
  auto given = json_response(200, {{"message", "logged out"}});
  given.headers["Set-Cookie"] = cookie_text("", 0, with.secure);
  done(std::move(given));
}

}  // namespace berth::gateway::routes
