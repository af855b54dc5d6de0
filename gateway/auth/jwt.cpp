#include "gateway/auth/jwt.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include "gateway/auth/hmac.hpp"
#include "gateway/base64.hpp"

namespace berth::gateway {
namespace {

constexpr std::string_view header_text = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view issuer = "berth";

// A key of its own: an API token secret can never be used as a signature nor the other way round.
digest signing_key(const std::array<std::uint8_t, 32>& server_key) {
  return hmac_sha256(server_key, "berth jwt 1");
}

std::string_view view_of(const digest& d) {
  return {reinterpret_cast<const char*>(d.data()), d.size()};
}

std::int64_t seconds_of(timestamp t) {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

rejection refused(std::string why) {
  return reject(rejection_code::unauthenticated, "token refused: " + std::move(why));
}

const std::int64_t* number(const boost::json::object& claims, std::string_view name) {
  const auto* value = claims.if_contains(name);
  return value ? value->if_int64() : nullptr;
}

std::string text(const boost::json::object& claims, std::string_view name) {
  const auto* value = claims.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

outcome<jwt_claims> read_claims(std::string_view payload, timestamp now) {
  boost::system::error_code failed;
  const auto parsed = boost::json::parse(payload, failed);
  if (failed || !parsed.is_object()) return refused("its claims are not a JSON object");
  const auto& claims = parsed.get_object();
  const auto* issued = number(claims, "iat");
  const auto* expires = number(claims, "exp");
  jwt_claims read{{text(claims, "sub")}, {text(claims, "tid")}, {}, {}};
  if (text(claims, "iss") != issuer || !read.account || !read.token || !issued || !expires)
    return refused("a claim is missing: iss, sub, tid, iat and exp are needed");
  // RFC 7519 NumericDate; beyond the year 9999 it is no date.
  constexpr std::int64_t latest_s = 253'402'300'799;
  if (*issued < 0 || *expires > latest_s) return refused("iat or exp is not a time");
  if (seconds_of(now) >= *expires)
    return refused("it has expired; get a new one at POST /api/v1/auth/jwt");
  if (*issued > seconds_of(now) + 60) return refused("it is from the future");
  read.issued_at = timestamp{std::chrono::seconds{*issued}};
  read.expires_at = timestamp{std::chrono::seconds{*expires}};
  return read;
}

}  // namespace

std::string sign_jwt(const std::array<std::uint8_t, 32>& server_key, const jwt_claims& claims) {
  const auto payload = boost::json::serialize(boost::json::object{
      {"iss", issuer},
      {"sub", claims.account.value},
      {"tid", claims.token.value},
      {"iat", seconds_of(claims.issued_at)},
      {"exp", seconds_of(claims.expires_at)},
  });
  auto text = base64url_encode(header_text) + '.' + base64url_encode(payload);
  text += '.' + base64url_encode(view_of(hmac_sha256(signing_key(server_key), text)));
  return text;
}

outcome<jwt_claims> verify_jwt(const std::array<std::uint8_t, 32>& server_key,
                               std::string_view text, timestamp now) {
  static const auto header = base64url_encode(header_text);
  const auto first = text.find('.');
  const auto last = text.rfind('.');
  if (first == std::string_view::npos || first == last || text.find('.', first + 1) != last)
    return refused("it is neither an API token nor a JWT");
  if (text.substr(0, first) != header) return refused("its header is not the one Berth writes");
  const auto signature = base64url_decode(text.substr(last + 1));
  digest shown{};
  if (!signature || signature->size() != shown.size()) return refused("its signature is malformed");
  std::copy(signature->begin(), signature->end(), shown.begin());
  if (!equal_in_constant_time(shown, hmac_sha256(signing_key(server_key), text.substr(0, last))))
    return refused("its signature does not match");
  const auto payload = base64url_decode(text.substr(first + 1, last - first - 1));
  if (!payload) return refused("its claims are malformed");
  return read_claims(*payload, now);
}

}  // namespace berth::gateway
