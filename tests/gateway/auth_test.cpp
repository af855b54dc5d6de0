#include "tests/support/catch.hpp"

#include "gateway/auth/jwt.hpp"
#include "gateway/base64.hpp"
#include "tests/support/gateway_world.hpp"

using berth::testing::gateway_world;
using namespace berth;
using namespace berth::gateway;

namespace {

std::string changed(std::string text, std::size_t at) {
  text[at] = text[at] == 'a' ? 'b' : 'a';
  return text;
}

int status_with(gateway_world& world, gateway_world::headers headers) {
  return world.call_as("", "GET", "/api/v1/auth/whoami", {}, std::move(headers))->status();
}

}  // namespace

TEST_CASE("auth: an API token is the same for the same key, account and id, and is parsed back",
          "[gateway]") {
  const auto key = gateway_world::key();
  const auto account = account_id_of("ada");
  const auto token = token_id_of(account, uuid::derived("test", "1"));
  const auto made = make_api_token(key, account, token);
  CHECK(made.text == make_api_token(key, account, token).text);
  CHECK(made.text != make_api_token({}, account, token).text);
  const auto claimed = parse_api_token(made.text);
  REQUIRE(claimed);
  CHECK(claimed->account == account);
  CHECK(claimed->token == token);
  CHECK(same_secret(claimed->hash, made.hash));
}

TEST_CASE("auth: no changed character of an API token passes", "[gateway]") {
  gateway_world world;
  const auto good = world.admin_token;
  REQUIRE(status_with(world, {{"authorization", "Bearer " + good}}) == 200);
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    CHECK(status_with(world, {{"authorization", "Bearer " + changed(good, i)}}) == 401);
  }
  CHECK(status_with(world, {{"authorization", "Bearer " + good.substr(0, good.size() - 1)}}) ==
        401);
  CHECK(status_with(world, {{"authorization", "Bearer " + good + "a"}}) == 401);
}

TEST_CASE("auth: what is no bearer token is answered 401 and says what to send", "[gateway]") {
  gateway_world world;
  const auto none = world.call_as("", "GET", "/api/v1/environments");
  CHECK(none->status() == 401);
  CHECK(none->code() == "unauthenticated");
  CHECK(none->given->headers.at("WWW-Authenticate") == "Bearer realm=\"berth\"");
  for (const char* value : {"", "Basic YTpi", "Bearer", "Bearer ", "Token abc", "Bearer a.b",
                            "Bearer ..", "Bearer a.b.c"})
    CHECK(status_with(world, {{"authorization", value}}) == 401);
  CHECK(status_with(world, {{"authorization", "bearer   " + world.admin_token + " "}}) == 200);
  CHECK(status_with(world, {{"authorization", "Bearer " + std::string(10'000, 'a')}}) == 401);
  // Never in a URL.
  CHECK(world.call_as("", "GET", "/api/v1/auth/whoami?token=" + world.admin_token)->status() ==
        401);
}

TEST_CASE(
    "auth: a revoked, an expired and a disabled account's token are refused from the next request "
    "on",
    "[gateway]") {
  gateway_world world;
  const auto made = world.call("POST", "/api/v1/accounts/me/tokens", R"({"label":"ci"})");
  REQUIRE(made->status() == 201);
  const auto secret = std::string(made->json().at("secret").as_string());
  const auto id = std::string(made->json().at("token").at("id").as_string());
  CHECK(world.call_as(secret, "GET", "/api/v1/auth/whoami")->status() == 200);
  CHECK(world.call("DELETE", "/api/v1/accounts/me/tokens/" + id)->status() == 200);
  CHECK(world.call_as(secret, "GET", "/api/v1/auth/whoami")->status() == 401);

  const auto until = to_rfc3339(world.clock.now() + std::chrono::minutes{1});
  const auto brief =
      world.call("POST", "/api/v1/accounts/me/tokens", R"({"expires_at":")" + until + "\"}");
  REQUIRE(brief->status() == 201);
  const auto brief_secret = std::string(brief->json().at("secret").as_string());
  CHECK(world.call_as(brief_secret, "GET", "/api/v1/auth/whoami")->status() == 200);
  world.clock.advance(std::chrono::minutes{1});
  CHECK(world.call_as(brief_secret, "GET", "/api/v1/auth/whoami")->status() == 401);

  const auto member = world.make_account("member");
  CHECK(world.call_as(member, "GET", "/api/v1/auth/whoami")->status() == 200);
  CHECK(world.call("POST", "/api/v1/accounts/member/disable", R"({"reason":"left"})")->status() ==
        200);
  CHECK(world.call_as(member, "GET", "/api/v1/auth/whoami")->status() == 401);
}

TEST_CASE("auth: a token's secret is shown at creation only, and a retry shows it again",
          "[gateway]") {
  gateway_world world;
  const gateway_world::headers key{{"idempotency-key", "once"}};
  const auto made = world.call("POST", "/api/v1/accounts/me/tokens", R"({"label":"ci"})", key);
  const auto again = world.call("POST", "/api/v1/accounts/me/tokens", R"({"label":"ci"})", key);
  CHECK(again->given->body == made->given->body);
  const auto secret = std::string(made->json().at("secret").as_string());
  const auto last = secret.substr(secret.size() - 52);
  for (const char* path :
       {"/api/v1/accounts/me/tokens", "/api/v1/events", "/api/v1/audit", "/api/v1/accounts/me"}) {
    const auto shown = world.call("GET", path)->given->body;
    CAPTURE(path);
    CHECK(shown.find(last) == std::string::npos);
    CHECK(shown.find("\"hash\"") == std::string::npos);
  }
}

TEST_CASE(
    "auth: an administrator creates accounts; a retry gets the same secret, a member is refused",
    "[gateway]") {
  gateway_world world;
  const gateway_world::headers key{{"idempotency-key", "ada"}};
  const auto made = world.call("POST", "/api/v1/accounts", R"({"name":"ada"})", key);
  REQUIRE(made->status() == 201);
  const auto again = world.call("POST", "/api/v1/accounts", R"({"name":"ada"})", key);
  CHECK(again->given->body == made->given->body);
  const auto token = std::string(made->json().at("secret").as_string());
  const auto who = world.call_as(token, "GET", "/api/v1/auth/whoami");
  REQUIRE(who->status() == 200);
  CHECK(who->json().at("account").at("name") == "ada");
  CHECK(world.call("POST", "/api/v1/accounts", R"({"name":"ada"})")->code() == "name_taken");
  CHECK(world.call("POST", "/api/v1/accounts", R"({"name":"Not a label"})")->code() ==
        "invalid_argument");
  CHECK(world.call("POST", "/api/v1/accounts", R"({"name":"x","role":"king"})")->code() ==
        "invalid_argument");
  CHECK(world.call_as(token, "POST", "/api/v1/accounts", R"({"name":"eve"})")->status() == 403);
  CHECK(world.call_as(token, "GET", "/api/v1/accounts")->status() == 403);
  CHECK(world.call("GET", "/api/v1/accounts")->json().at("items").as_array().size() == 2);
  CHECK(world.call("POST", "/api/v1/accounts/me/disable")->code() == "wrong_state");
}

TEST_CASE("auth: a JWT stands for its token until it expires or the token is revoked",
          "[gateway]") {
  gateway_world world;
  const auto made = world.call("POST", "/api/v1/accounts/me/tokens", R"({"label":"ci"})");
  const auto secret = std::string(made->json().at("secret").as_string());
  const auto id = std::string(made->json().at("token").at("id").as_string());
  const auto exchanged = world.call_as(secret, "POST", "/api/v1/auth/jwt", R"({"lifetime_s":60})");
  REQUIRE(exchanged->status() == 201);
  const auto jwt = std::string(exchanged->json().at("jwt").as_string());
  CHECK(world.call_as(jwt, "GET", "/api/v1/auth/whoami")->json().at("token_id").as_string() == id);
  // A JWT makes no JWT that outlives it.
  world.clock.advance(std::chrono::seconds{30});
  const auto second = world.call_as(jwt, "POST", "/api/v1/auth/jwt");
  CHECK(second->json().at("expires_at") == exchanged->json().at("expires_at"));
  world.clock.advance(std::chrono::seconds{30});
  CHECK(world.call_as(jwt, "GET", "/api/v1/auth/whoami")->status() == 401);
  const auto fresh =
      std::string(world.call_as(secret, "POST", "/api/v1/auth/jwt")->json().at("jwt").as_string());
  CHECK(world.call_as(fresh, "GET", "/api/v1/auth/whoami")->status() == 200);
  world.call("DELETE", "/api/v1/accounts/me/tokens/" + id);
  CHECK(world.call_as(fresh, "GET", "/api/v1/auth/whoami")->status() == 401);
}

TEST_CASE("auth: a JWT with another header, key, claim or any changed byte is refused",
          "[gateway]") {
  const auto key = gateway_world::key();
  const auto now = from_us(1'800'000'000'000'000);
  const jwt_claims claims{{"acct_a"}, {"tok_a"}, now, now + std::chrono::minutes{1}};
  const auto good = sign_jwt(key, claims);
  REQUIRE(verify_jwt(key, good, now));
  CHECK_FALSE(verify_jwt({}, good, now));
  CHECK_FALSE(verify_jwt(key, good, now + std::chrono::minutes{1}));
  CHECK_FALSE(verify_jwt(key, good, now - std::chrono::minutes{2}));
  // No date: in microseconds it would overflow.
  CHECK_FALSE(verify_jwt(key, sign_jwt(key, {{"acct_a"}, {"tok_a"}, now, timestamp::max()}), now));
  for (std::size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(verify_jwt(key, changed(good, i), now));
  }
  const auto payload = good.substr(good.find('.'), good.rfind('.') - good.find('.'));
  const auto none = base64url_encode(R"({"alg":"none","typ":"JWT"})") + payload;
  CHECK_FALSE(verify_jwt(key, none + '.', now));
  CHECK_FALSE(verify_jwt(key, none + good.substr(good.rfind('.')), now));
  CHECK_FALSE(verify_jwt(key, good + ".x", now));
}

TEST_CASE("auth: a browser's cookie is accepted, but not for changes asked from another origin",
          "[gateway]") {
  gateway_world world;
  const auto login = world.call("POST", "/api/v1/auth/jwt", R"({"cookie":true})");
  REQUIRE(login->status() == 201);
  CHECK_FALSE(login->json().contains("jwt"));
  const auto set = login->given->headers.at("Set-Cookie");
  CHECK(set.find("HttpOnly") != std::string::npos);
  CHECK(set.find("SameSite=Strict") != std::string::npos);
  const auto cookie = set.substr(0, set.find(';'));
  CHECK(status_with(world, {{"cookie", "a=b; " + cookie}}) == 200);
  CHECK(status_with(world, {{"cookie", "a=b"}}) == 401);
  const auto post = [&](gateway_world::headers headers) {
    headers["cookie"] = cookie;
    return world
        .call_as("", "POST", "/api/v1/environments",
                 R"({"name":"web","instance_type":"lightweight"})", headers)
        ->status();
  };
  CHECK(post({{"host", "berth.example"}, {"origin", "https://evil.example"}}) == 401);
  CHECK(post({{"host", "berth.example"}, {"origin", "null"}}) == 401);
  CHECK(post({{"host", "berth.example"}, {"origin", "https://berth.example"}}) == 201);
  CHECK(world.call_as("", "DELETE", "/api/v1/auth/jwt")
            ->given->headers.at("Set-Cookie")
            .find("Max-Age=0") != std::string::npos);
}

TEST_CASE("auth: base64 is strict", "[gateway]") {
  for (const char* bad :
       {"a", "ab", "abc", "ab=c", "a===", "YQ", "YR==", "YQ= =", " YQ==", "YQ==\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(base64_decode(bad));
  }
  CHECK(base64_decode("YQ==") == "a");
  CHECK(base64_decode("") == "");
  CHECK_FALSE(base64url_decode("YQ=="));
  CHECK(base64url_decode(base64url_encode("\xfb\xff\xfe")) == "\xfb\xff\xfe");
}
