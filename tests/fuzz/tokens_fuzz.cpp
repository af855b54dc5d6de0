// What proves who asks, and the small texts of requests: API tokens, JWTs (the claims too, as if
// their signature were good), base64, times, ids, positions. The first byte chooses.
#include "gateway/auth/api_token.hpp"
#include "gateway/auth/hmac.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/base64.hpp"
#include "gateway/fields.hpp"
#include "gateway/render/position_text.hpp"
#include "gateway/target.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace berth::fuzz {
namespace {

using namespace berth::gateway;

constexpr server_key key{1, 2, 3};
const timestamp now = *parse_rfc3339("2026-11-21T12:00:00Z");

enum kind : std::uint8_t { api, jwt, claims, base64, target, small_texts, kinds };

std::string signed_with(std::string_view payload) {
  const auto signing_key = hmac_sha256(key, "berth jwt 1");
  auto text = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + '.' + base64url_encode(payload);
  const auto signature = hmac_sha256(signing_key, text);
  return text + '.' +
         base64url_encode({reinterpret_cast<const char*>(signature.data()), signature.size()});
}

void check_api(std::string_view text) {
  const auto claimed = parse_api_token(text);
  if (!claimed) return;
  const auto id = [](const std::string& value) { return value.substr(value.find('_') + 1); };
  require(text.starts_with("berth_" + id(claimed->account.value) + "_" + id(claimed->token.value)),
          "a token's text holds its account and id");
}

void check_jwt(std::string_view text) {
  const auto read = verify_jwt(key, text, now);
  if (read)
    require(verify_jwt(key, sign_jwt(key, *read), now).has_value(), "accepted claims sign again");
  else
    require(!read.error().message.empty(), "a refused token says why");
  require(verify_jwt({9}, text, now).has_error(), "a token of another key is refused");
}

void check_base64(std::string_view text) {
  if (const auto bytes = base64_decode(text))
    require(base64_encode(*bytes) == text, "base64 is canonical");
  if (const auto bytes = base64url_decode(text))
    require(base64url_encode(*bytes) == text, "base64url is canonical");
  require(base64_decode(base64_encode(text)) == std::string(text), "decode(encode(bytes))");
  require(base64url_decode(base64url_encode(text)) == std::string(text), "decode(encode(bytes))");
}

void check_target(std::string_view text) {
  request asked;
  if (!split_target(text, asked)) return;
  require(asked.path.starts_with('/') || asked.path.empty(), "a path begins with a slash");
  require(asked.path.find('\0') == std::string::npos, "no NUL in a path");
  query_fields query{asked};
  for (const auto& [name, value] : asked.query) {
    (void)query.text(name, 64);
    (void)query.number(name, {1, 100});
    (void)query.flag(name, false);
    (void)query.time(name);
  }
}

void check_small_texts(std::string_view text) {
  if (const auto time = parse_rfc3339(text))
    require(parse_rfc3339(to_rfc3339(*time)) == *time, "a time is read as it is written");
  if (const auto id = uuid::parse(text))
    require(uuid::parse(id->text()) == *id, "an id is read as it is written");
  if (const auto at = parse_position(text))
    require(parse_position(position_text(*at)) == *at, "a position is read as it is written");
  if (const auto at = parse_cursor(text))
    require(parse_cursor(cursor_text(*at)) == *at, "a cursor is read as it is written");
  if (const auto number = parse_decimal(text))
    require(parse_decimal(std::to_string(*number)) == *number, "a number is read as it is written");
}

}  // namespace

void run(std::string_view input) {
  input_reader reader{input};
  switch (reader.byte() % kinds) {
    case kind::api:
      return check_api(reader.rest());
    case kind::jwt:
      return check_jwt(reader.rest());
    case kind::claims:
      return check_jwt(signed_with(reader.rest()));
    case kind::base64:
      return check_base64(reader.rest());
    case kind::target:
      return check_target(reader.rest());
    default:
      return check_small_texts(reader.rest());
  }
}

std::vector<std::string> seeds() {
  const auto seed = [](kind which, std::string_view text) {
    return std::string(1, static_cast<char>(which)).append(text);
  };
  const auto account = account_id_of("somebody");
  const auto token = token_id_of(account, uuid::derived("a", "b"));
  const jwt_claims said{account, token, now, now + std::chrono::seconds{60}};
  return {
      seed(kind::api, make_api_token(key, account, token).text),
      seed(kind::jwt, sign_jwt(key, said)),
      seed(kind::claims, R"({"iss":"berth","sub":"acct_1","tid":"tok_1","iat":1795262400,)"
                         R"("exp":1795266000})"),
      seed(kind::claims, R"({"iss":"berth","sub":"a","tid":"t","iat":-1,"exp":9999999999})"),
      seed(kind::base64, "aGVsbG8="),
      seed(kind::base64, "_-8"),
      seed(kind::target, "/api/v1/environments?limit=10&after=0.12&wait=true&from=2026-11-21"),
      seed(kind::target, "/a%20b/%C3%A9?x=%2B+y&t=2026-11-21T00:00:00Z"),
      seed(kind::small_texts, "2026-11-21T13:04:05.000001Z"),
      seed(kind::small_texts, "2026-11-21T13:04:05+05:30"),
      seed(kind::small_texts, "0198a0b0-0000-7000-8000-000000000001"),
      seed(kind::small_texts, "0.18446744073709551615"),
  };
}

}  // namespace berth::fuzz
