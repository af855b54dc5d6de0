// What happened to an account (schemas/account.fbs).
#pragma once

#include <string>
#include <variant>

#include "events/account/commands.hpp"

namespace berth::account {

struct created {
  std::string name;
  account::role role{};
  timestamp at;
  bool operator==(const created&) const = default;
};
struct token_issued {
  token_id token;
  std::string label;
  secret_hash hash{};
  timestamp expires_at;
  timestamp at;
  bool operator==(const token_issued&) const = default;
};
struct token_revoked {
  token_id token;
  timestamp at;
  bool operator==(const token_revoked&) const = default;
};
struct environment_requested {
  environment_id environment;
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
  correlation_id correlation;
  timestamp at;
  bool operator==(const environment_requested&) const = default;
};
struct environment_confirmed {
  environment_id environment;
  timestamp at;
  bool operator==(const environment_confirmed&) const = default;
};
struct name_released {
  environment_id environment;
  std::string name;
  timestamp at;
  bool operator==(const name_released&) const = default;
};
struct disabled {
  std::string reason;
  timestamp at;
  bool operator==(const disabled&) const = default;
};

using event = std::variant<created, token_issued, token_revoked, environment_requested,
                           environment_confirmed, name_released, disabled>;

}  // namespace berth::account
