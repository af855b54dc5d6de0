#include "gateway/auth/api_token.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"
#include "gateway/auth/hmac.hpp"

namespace berth::gateway {
namespace {

constexpr std::size_t id_characters = 26;
constexpr std::size_t secret_characters = 2 * id_characters;
constexpr std::string_view token_prefix = "berth_";
constexpr std::string_view account_prefix = "acct_";
constexpr std::string_view tok_prefix = "tok_";
constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

bool is_base32(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return alphabet.find(c) != std::string_view::npos; });
}

bool is_derived(std::string_view id, std::string_view prefix) {
  return id.size() == prefix.size() + id_characters && id.starts_with(prefix) &&
         is_base32(id.substr(prefix.size()));
}

std::string base32_of(const digest& bits) {
  std::array<std::uint8_t, 16> half{};
  std::copy_n(bits.begin(), 16, half.begin());
  auto text = base32(half);
  std::copy_n(bits.begin() + 16, 16, half.begin());
  return text + base32(half);
}

}  // namespace

account_id account_id_of(std::string_view name) {
  return {derived_id("acct", name, command_id{})};
}

token_id token_id_of(const account_id& account, const command_id& command) {
  return {derived_id("tok", account.value, command)};
}

api_token make_api_token(const server_key& key, const account_id& account, const token_id& token) {
  BERTH_ASSERT(is_derived(account.value, account_prefix));
  BERTH_ASSERT(is_derived(token.value, tok_prefix));
  const auto secret =
      base32_of(hmac_sha256(key, "berth api token 1" + account.value + token.value));
  api_token made{account, token, {}, sha256(secret)};
  made.text = std::string(token_prefix) + account.value.substr(account_prefix.size()) + '_' +
              token.value.substr(tok_prefix.size()) + '_' + secret;
  return made;
}

std::optional<claimed_token> parse_api_token(std::string_view text) {
  constexpr auto size =
      token_prefix.size() + id_characters + 1 + id_characters + 1 + secret_characters;
  if (text.size() != size || !text.starts_with(token_prefix)) return {};
  const auto account = text.substr(token_prefix.size(), id_characters);
  const auto token = text.substr(token_prefix.size() + id_characters + 1, id_characters);
  const auto secret = text.substr(size - secret_characters);
  const bool separated =
      text[token_prefix.size() + id_characters] == '_' && text[size - secret_characters - 1] == '_';
  if (!separated || !is_base32(account) || !is_base32(token) || !is_base32(secret)) return {};
  return claimed_token{{std::string(account_prefix) + std::string(account)},
                       {std::string(tok_prefix) + std::string(token)},
                       sha256(secret)};
}

bool same_secret(const account::secret_hash& a, const account::secret_hash& b) {
  return equal_in_constant_time(a, b);
}

}  // namespace berth::gateway
