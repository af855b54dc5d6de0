#include "events/account/aggregate.hpp"
#include "events/core/instance_type.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/given.hpp"

namespace berth::account {
namespace {

using namespace std::chrono_literals;
using given = test::scenario<account::aggregate>;
using then = given::then;
using code = rejection_code;

const timestamp t0 = test::start_of_time;

secret_hash hash_of(std::uint8_t n) {
  secret_hash out{};
  out[0] = n;
  return out;
}
issue_token token_one() {
  return {{"tok_1"}, "laptop", hash_of(1), {}};
}
request_environment request(std::string id = "env_1", std::string name = "web") {
  return {
      {std::move(id)}, std::move(name), "balanced", "host", std::string{current_price_list}, {}};
}
given existing() {
  return given{}.after(create{"alice", role::admin});
}
given shut() {
  return existing().after(token_one()).after(request()).after(disable{"unpaid"});
}

}  // namespace

TEST_CASE("account: create needs a label for a name, and happens once", "[events]") {
  for (const auto* name : {"", "-a", "a-", "Alice", "a_b", "a.b"}) {
    CAPTURE(name);
    CHECK(given{}.when(create{name, role::member}) == code::invalid_argument);
  }
  CHECK(given{}.when(create{std::string(63, 'a'), role::member}).decided.has_value());
  CHECK(given{}.when(create{std::string(64, 'a'), role::member}).field() == "name");
  CHECK(given{}.when(create{"alice", role::admin}) == then{created{"alice", role::admin, t0}});
  CHECK(existing().when(create{"alice", role::admin}) == code::name_taken);
}

TEST_CASE("account: what does not exist is not found", "[events]") {
  CHECK(given{}.when(token_one()) == code::not_found);
  CHECK(given{}.when(request()) == code::not_found);
  CHECK(given{}.when(disable{}) == code::not_found);
}

TEST_CASE("account: a disabled one only loses rights and finishes what was begun", "[events]") {
  CHECK(shut().when(issue_token{{"tok_2"}, "", hash_of(2), {}}) == code::forbidden);
  CHECK(shut().when(request("env_2", "db")) == code::forbidden);
  CHECK(shut().when(revoke_token{{"tok_1"}}, 1s) == then{token_revoked{{"tok_1"}, t0 + 1s}});
  CHECK(shut().when(confirm_environment{{"env_1"}}, 1s) ==
        then{environment_confirmed{{"env_1"}, t0 + 1s}});
  CHECK(shut().when(release_name{{"env_1"}}, 1s) == then{name_released{{"env_1"}, "web", t0 + 1s}});
  CHECK(shut().when(disable{"again"}) == then{});
}

TEST_CASE("account: tokens are checked, issued once, and bounded", "[events]") {
  CHECK(existing().when(issue_token{{""}, "", hash_of(1), {}}).field() == "token");
  CHECK(existing().when(issue_token{{"tok_1"}, std::string(300, 'x'), hash_of(1), {}}).field() ==
        "label");
  CHECK(existing().when(issue_token{{"tok_1"}, "", {}, {}}).field() == "hash");
  CHECK(existing().when(issue_token{{"tok_1"}, "", hash_of(1), t0}).field() == "expires_at");
  CHECK(existing().when(token_one()) ==
        then{token_issued{{"tok_1"}, "laptop", hash_of(1), {}, t0}});
  CHECK(existing().after(token_one()).when(token_one()) == then{});
  CHECK(existing().after(token_one()).when(issue_token{{"tok_1"}, "", hash_of(9), {}}) ==
        code::wrong_state);
  auto full = existing();
  for (std::size_t i = 0; i < tokens_max; ++i) {
    full.after(issue_token{{"t" + std::to_string(i)}, "", hash_of(1), t0 + 10s});
  }
  CHECK(full.when(token_one(), 9s) == code::limit_exceeded);
  CHECK(full.when(token_one(), 10s).decided.has_value());  // expired ones do not count
  CHECK(full.after(revoke_token{{"t0"}}, 1s).when(token_one(), 2s).decided.has_value());
}

TEST_CASE("account: dead tokens are forgotten, the oldest first, so that the state stays bounded",
          "[events]") {
  auto busy = existing();
  for (std::size_t i = 0; i < 3 * tokens_max; ++i) {
    const token_id id{"t" + std::to_string(i)};
    const auto at = std::chrono::seconds{i};
    busy.after(issue_token{id, "", hash_of(1), {}}, at).after(revoke_token{id}, at);
  }
  CHECK(busy.state.tokens.size() == 2 * tokens_max);
  CHECK_FALSE(busy.state.tokens.contains({"t0"}));
  CHECK(busy.state.tokens.contains({"t767"}));
}

TEST_CASE("account: revoking is recorded once and only for what exists", "[events]") {
  CHECK(existing().when(revoke_token{{"tok_1"}}) == code::not_found);
  CHECK(
      existing().after(token_one()).after(revoke_token{{"tok_1"}}).when(revoke_token{{"tok_1"}}) ==
      then{});
}

TEST_CASE("account: a request for an environment is checked in order", "[events]") {
  auto bad = request("", "Bad");
  bad.instance_type = "huge";
  CHECK(existing().when(bad).field() == "environment");
  bad.environment = {"env_1"};
  CHECK(existing().when(bad).field() == "name");
  bad.name = "web";
  CHECK(existing().when(bad).field() == "instance_type");
  bad.instance_type = "memory";
  bad.template_name = "";
  CHECK(existing().when(bad).field() == "template");
  bad.template_name = "host";
  bad.price_list = "none";
  CHECK(existing().when(bad).field() == "price_list");
}

TEST_CASE("account: a name is reserved until it is released", "[events]") {
  const auto one = existing().after(request());
  CHECK(one.when(request()) == then{});
  CHECK(one.when(request("env_1", "db")) == code::wrong_state);
  CHECK(one.when(request("env_2", "web")) == code::name_taken);
  CHECK(one.when(request("env_2", "web")).field() == "name");
  CHECK(one.when(confirm_environment{{"env_9"}}) == then{});
  auto released = one;
  released.after(confirm_environment{{"env_1"}}).after(release_name{{"env_1"}});
  CHECK(released.when(release_name{{"env_1"}}) == then{});
  CHECK(released.when(request("env_2", "web")).decided.has_value());
}

TEST_CASE("account: environments are bounded", "[events]") {
  auto full = existing();
  for (std::size_t i = 0; i < environments_max; ++i) {
    full.after(request("env_" + std::to_string(i), "n" + std::to_string(i)));
  }
  CHECK(full.when(request("env_x", "x")) == code::limit_exceeded);
}

TEST_CASE("account: what the server fills in does not make a retry another command", "[events]") {
  auto retried = request();
  retried.price_list = "2027-01";
  retried.correlation = uuid::derived("test", "other");
  CHECK(aggregate::canonical(request()) == aggregate::canonical(retried));
  CHECK(aggregate::canonical(request()) != aggregate::canonical(request("env_1", "db")));
}

}  // namespace berth::account
