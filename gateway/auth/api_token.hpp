// API tokens: text for people and programs, of which only a hash is stored.
//
//   berth_<26 of the account id>_<26 of the token id>_<52: secret>     all Crockford base32, lower
//   case
//
// secret = HMAC-SHA256(server key, "berth api token 1" || account || token id), so a retried
// creation returns the same text although nobody stored it. The account keeps SHA-256(secret text);
// comparison is in constant time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "events/account/commands.hpp"
#include "events/core/ids.hpp"

namespace berth::gateway {

using server_key = std::array<std::uint8_t, 32>;

// The account of a name: derived_id("acct", name, nil). Names of accounts are unique because their
// ids are.
account_id account_id_of(std::string_view name);
// The token a command creates: derived_id("tok", account, command).
token_id token_id_of(const account_id& account, const command_id& command);

struct api_token {
  account_id account;
  token_id token;
  std::string text;             // shown once
  account::secret_hash hash{};  // what the account stores
};
// `account` and `token` must be derived ids (BERTH_ASSERT). Same arguments, same token.
api_token make_api_token(const server_key& key, const account_id& account, const token_id& token);

// The parts of a token's text; nothing if it isn't one. Proves nothing yet: compare the hash with
// the account's.
struct claimed_token {
  account_id account;
  token_id token;
  account::secret_hash hash{};
};
std::optional<claimed_token> parse_api_token(std::string_view text);
bool same_secret(const account::secret_hash& a, const account::secret_hash& b);

}  // namespace berth::gateway
