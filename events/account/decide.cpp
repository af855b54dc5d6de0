// What an account accepts. Its stream is where the names of its environments are reserved.
#include <algorithm>

#include "events/account/aggregate.hpp"
#include "events/core/arguments.hpp"
#include "events/core/instance_type.hpp"
#include "events/core/invariant.hpp"
#include "events/core/match.hpp"
#include "events/core/mutants.hpp"

namespace berth::account {
namespace {

using events = std::vector<event>;
using answer = decision<event>;

rejection not_found(std::string_view what) {
  return reject(rejection_code::not_found, "the " + std::string{what} + " does not exist");
}

answer decide_create(const state& now, const create& c, timestamp at) {
  if (now.exists) {
    // Account ids derive from names, so whoever meets this one wants a name that is in use.
    return reject(rejection_code::name_taken, "the name " + now.name + " is taken; choose another",
                  "name");
  }
  if (auto no = refuse_label("name", c.name)) return *no;
  return events{created{c.name, c.role, at}};
}

bool is_live(const token& t, timestamp at) {
  return !t.revoked && (t.expires_at == timestamp{} || t.expires_at > at);
}

answer decide_issue_token(const state& now, const issue_token& c, timestamp at) {
  if (auto no = refuse_id("token", c.token.value)) return *no;
  if (auto no = refuse_short_text("label", c.label)) return *no;
  if (c.hash == secret_hash{}) return invalid("hash", "is missing");
  if (c.expires_at != timestamp{} && c.expires_at <= at)
    return invalid("expires_at", "is in the past");
  if (const auto known = now.tokens.find(c.token); known != now.tokens.end()) {
    if (known->second.hash == c.hash) return events{};
    return reject(rejection_code::wrong_state,
                  "a token with this id exists already; ask for one with a new id");
  }
  const auto live = std::count_if(now.tokens.begin(), now.tokens.end(),
                                  [&](const auto& entry) { return is_live(entry.second, at); });
  if (static_cast<std::size_t>(live) >= tokens_max) {
    return reject(rejection_code::limit_exceeded,
                  "the account has " + std::to_string(tokens_max) + " tokens; revoke one first");
  }
  return events{token_issued{c.token, c.label, c.hash, c.expires_at, at}};
}

answer decide_revoke_token(const state& now, const revoke_token& c, timestamp at) {
  const auto known = now.tokens.find(c.token);
  if (known == now.tokens.end()) return not_found("token");
  if (known->second.revoked) return events{};
  return events{token_revoked{c.token, at}};
}

std::optional<rejection> refuse_request(const request_environment& c) {
  if (auto no = refuse_id("environment", c.environment.value)) return no;
  if (auto no = refuse_label("name", c.name)) return no;
  if (find_instance_type(c.instance_type) == nullptr) {
    std::string known;
    for (const auto& type : instance_types())
      known += (known.empty() ? "" : ", ") + std::string{type.name};
    return invalid("instance_type", "must be one of " + known);
  }
  if (auto no = refuse_id("template", c.template_name)) return no;
  if (!price_of(c.price_list, c.instance_type))
    return invalid("price_list", "is not a known price list");
  return std::nullopt;
}

answer decide_request(const state& now, const request_environment& c, timestamp at) {
  if (auto no = refuse_request(c)) return *no;
  if (const auto known = now.environments.find(c.environment); known != now.environments.end()) {
    const auto& entry = known->second;
    const bool same = entry.name == c.name && entry.instance_type == c.instance_type &&
                      entry.template_name == c.template_name;
    if (same) return events{};
    return reject(rejection_code::wrong_state,
                  "an environment with this id was requested with other properties");
  }
  for (const auto& [id, entry] : now.environments) {
    if (entry.name != c.name) continue;
    if (BERTH_MUTANT(name_free_until_confirmed) && !entry.confirmed) continue;
    return reject(
        rejection_code::name_taken,
        "the name " + c.name + " is taken by " + id.value + "; choose another or delete that one",
        "name");
  }
  if (now.environments.size() >= environments_max) {
    return reject(
        rejection_code::limit_exceeded,
        "the account has " + std::to_string(environments_max) + " environments; delete one first");
  }
  return events{environment_requested{c.environment, c.name, c.instance_type, c.template_name,
                                      c.price_list, c.correlation, at}};
}

// Confirmations and releases come from effects: one that finds nothing to do is late, and is taken
// without an event.
answer decide_confirm(const state& now, const confirm_environment& c, timestamp at) {
  const auto known = now.environments.find(c.environment);
  if (known == now.environments.end() || known->second.confirmed) return events{};
  return events{environment_confirmed{c.environment, at}};
}

answer decide_release(const state& now, const release_name& c, timestamp at) {
  const auto known = now.environments.find(c.environment);
  if (known == now.environments.end()) return events{};
  return events{name_released{c.environment, known->second.name, at}};
}

answer decide_disable(const state& now, const disable& c, timestamp at) {
  if (auto no = refuse_short_text("reason", c.reason)) return *no;
  if (now.disabled) return events{};
  return events{disabled{c.reason, at}};
}

// A disabled account may still lose rights and finish what was begun.
bool allowed_when_disabled(const command& asked) {
  return std::holds_alternative<revoke_token>(asked) ||
         std::holds_alternative<release_name>(asked) ||
         std::holds_alternative<confirm_environment>(asked) ||
         std::holds_alternative<disable>(asked);
}

}  // namespace

decision<event> aggregate::decide(const state& now, const command& asked,
                                  const decide_context& context) {
  const auto at = context.now;
  if (!now.exists && !std::holds_alternative<create>(asked)) return not_found("account");
  if (now.disabled && !allowed_when_disabled(asked)) {
    return reject(rejection_code::forbidden, "the account is disabled; ask an administrator");
  }
  return std::visit(match{
                        [&](const create& c) { return decide_create(now, c, at); },
                        [&](const issue_token& c) { return decide_issue_token(now, c, at); },
                        [&](const revoke_token& c) { return decide_revoke_token(now, c, at); },
                        [&](const request_environment& c) { return decide_request(now, c, at); },
                        [&](const confirm_environment& c) { return decide_confirm(now, c, at); },
                        [&](const release_name& c) { return decide_release(now, c, at); },
                        [&](const disable& c) { return decide_disable(now, c, at); },
                    },
                    asked);
}

// An account is never transient.
std::optional<timestamp> aggregate::deadline(const state&) {
  return std::nullopt;
}

command aggregate::on_deadline(const state&) {
  invariant_failed("an account has no deadline", __FILE__, __LINE__);
}

}  // namespace berth::account
