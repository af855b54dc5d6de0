// What an account may be asked.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::account {

enum class role : std::uint8_t { member = 0, admin = 1 };
using secret_hash = std::array<std::uint8_t, 32>;  // SHA-256

struct create {
  std::string name;
  account::role role{};
};
struct issue_token {
  token_id token;
  std::string label;
  secret_hash hash{};
  timestamp expires_at{};
};  // 0 = never
struct revoke_token {
  token_id token;
};
// Reserves the name and asks for the environment; the effect creates environment/<id>. name_taken
// if reserved.
struct request_environment {
  environment_id environment;
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
  correlation_id correlation;
};
struct confirm_environment {
  environment_id environment;
};  // by the effect: environment/<id> exists
struct release_name {
  environment_id environment;
};  // by the environment's effect: it is deleted
struct disable {
  std::string reason;
};

using command = std::variant<create, issue_token, revoke_token, request_environment,
                             confirm_environment, release_name, disable>;

}  // namespace berth::account
