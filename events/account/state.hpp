// An account: role, API tokens (hashes only), names reserved for its environments.
#pragma once

#include <map>
#include <string>

#include "events/account/commands.hpp"

namespace berth::account {

inline constexpr std::size_t tokens_max = 256;         // live ones
inline constexpr std::size_t environments_max = 1024;  // not deleted
inline constexpr std::size_t name_bytes_max =
    63;  // RFC 1123 label: lower-case letters, digits, '-'

struct token {
  std::string label;
  secret_hash hash{};
  timestamp issued_at;
  timestamp expires_at;  // 0 = never
  bool revoked{};
  bool operator==(const token&) const = default;
};
struct environment_entry {
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
  correlation_id correlation;
  bool confirmed{};
  timestamp requested_at;
  bool operator==(const environment_entry&) const = default;
};

struct state {
  bool exists{};
  std::string name;
  account::role role{};
  bool disabled{};
  timestamp created_at;
  std::map<token_id, token> tokens;
  std::map<environment_id, environment_entry> environments;  // released ones are gone
  bool operator==(const state&) const = default;
};

}  // namespace berth::account
