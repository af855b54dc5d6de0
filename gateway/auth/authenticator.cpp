#include "gateway/auth/authenticator.hpp"

#include "gateway/auth/api_token.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/services.hpp"

namespace berth::gateway {
namespace {

constexpr std::string_view bearer = "bearer ";

rejection refused(std::string why) {
  return reject(rejection_code::unauthenticated, std::move(why));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool has_prefix_ignoring_case(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i)
    if (lower(text[i]) != prefix[i]) return false;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string cookie_named(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    const auto one = trimmed(cookies.substr(0, end));
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
      return std::string(one.substr(name.size() + 1));
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return {};
}

const std::string* header(const request& asked, const char* name) {
  const auto at = asked.headers.find(name);
  return at == asked.headers.end() ? nullptr : &at->second;
}

// A browser sends Origin with every cross-site request that could change something.
bool from_elsewhere(const request& asked) {
  const auto* origin = header(asked, "origin");
  if (!origin) return false;
  const auto* host = header(asked, "host");
  const auto scheme_end = origin->find("://");
  return !host || scheme_end == std::string::npos || origin->substr(scheme_end + 3) != *host;
}

// The token a credential claims to be or to come from. An API token proves itself by its hash, a
// JWT has by its signature.
struct claim {
  account_id account;
  token_id token;
  std::optional<account::secret_hash> hash;
  std::optional<timestamp> expires_at;
};

outcome<claim> read_claim(const services& given, std::string_view credential) {
  if (credential.size() > credential_bytes_max) return refused("token refused: it is too long");
  if (auto token = parse_api_token(credential))
    return claim{std::move(token->account), std::move(token->token), token->hash, {}};
  auto claims = verify_jwt(given.server_key, credential, given.clock.now());
  if (!claims) return claims.error();
  return claim{claims->account, claims->token, {}, claims->expires_at};
}

// Every refusal reads alike: whether an account or a token exists is nobody's business.
outcome<identity> check(const account::state& now, const claim& shown, timestamp at) {
  const auto unknown = refused("token refused: unknown, revoked or expired; ask for a new one");
  if (!now.exists || now.disabled) return unknown;
  const auto found = now.tokens.find(shown.token);
  if (found == now.tokens.end()) return unknown;
  const auto& token = found->second;
  if (shown.hash && !same_secret(*shown.hash, token.hash)) return unknown;
  const bool expires = token.expires_at != timestamp{};
  if (token.revoked || (expires && token.expires_at <= at)) return unknown;
  identity who{
      {shown.account, shown.token.value, false}, now.role == account::role::admin, shown.token, {}};
  if (expires) who.expires_at = token.expires_at;
  if (shown.expires_at && (!who.expires_at || *shown.expires_at < *who.expires_at))
    who.expires_at = shown.expires_at;
  return who;
}

}  // namespace

outcome<std::string> authenticator::credential_of(const request& asked) {
  if (const auto* value = header(asked, "authorization")) {
    if (!has_prefix_ignoring_case(*value, bearer))
      return refused("the Authorization header must be `Bearer TOKEN`");
    return std::string(trimmed(std::string_view(*value).substr(bearer.size())));
  }
  if (const auto* value = header(asked, "cookie")) {
    auto token = cookie_named(*value, token_cookie);
    if (token.empty()) return refused("no token: send `Authorization: Bearer TOKEN`");
    const bool reads = asked.method == "GET" || asked.method == "HEAD";
    if (!reads && from_elsewhere(asked))
      return refused("a cookie is not accepted from another origin");
    return token;
  }
  return refused("no token: send `Authorization: Bearer TOKEN`");
}

void authenticator::authenticate(std::string_view credential,
                                 std::function<void(outcome<identity>)> done) const {
  auto shown = read_claim(given_, credential);
  if (!shown) return done(shown.error());
  const auto account = shown->account;
  given_.kernel.read(account, system_principal(account),
                     [this, shown = *shown, done = std::move(done)](auto read) {
                       if (read) return done(check(*read->state, shown, given_.clock.now()));
                       if (read.error() == rejection_code::not_found)
                         return done(check(account::state{}, shown, {}));
                       done(read.error());
                     });
}

authenticator::issued authenticator::issue_jwt(const identity& who,
                                               std::chrono::seconds lifetime) const {
  const auto now = std::chrono::floor<std::chrono::seconds>(given_.clock.now());
  timestamp until = now + lifetime;
  if (who.expires_at && *who.expires_at < until)
    until = std::chrono::floor<std::chrono::seconds>(*who.expires_at);
  return {sign_jwt(given_.server_key, {who.by.account, who.token, now, until}), until};
}

}  // namespace berth::gateway
