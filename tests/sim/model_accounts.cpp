// Accounts and sessions, as the reference model has them.
#include <algorithm>

#include "events/core/match.hpp"
#include "tests/sim/model.hpp"

namespace berth::sim {

namespace {

bool is_label(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > 63 || !letter(text.front()) || !letter(text.back()))
    return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '-'; });
}

bool is_sold(const std::string& type) {
  return type == "lightweight" || type == "balanced" || type == "compute" || type == "memory";
}

template <class Map, class Key>
auto* find_in(Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? nullptr : &at->second;
}

using account_verdict = verdict<account::event>;
using account_events = std::vector<account::event>;

account_verdict judge_request(const account_model& now, const account::request_environment& c,
                              timestamp at) {
  if (!is_label(c.name) || !is_sold(c.instance_type) || c.template_name.empty())
    return rejection_code::invalid_argument;
  if (now.environments.contains(c.environment)) return account_events{};
  for (const auto& [id, each] : now.environments)
    if (each.name == c.name) return rejection_code::name_taken;
  return account_events{account::environment_requested{
      c.environment, c.name, c.instance_type, c.template_name, c.price_list, c.correlation, at}};
}

}  // namespace

account_verdict judge(const account_model& now, const account::command& asked, timestamp at) {
  if (const auto* c = std::get_if<account::create>(&asked)) {
    if (now.exists) return now.disabled ? rejection_code::forbidden : rejection_code::name_taken;
    if (!is_label(c->name)) return rejection_code::invalid_argument;
    return account_events{account::created{c->name, c->role, at}};
  }
  if (!now.exists) return rejection_code::not_found;
  if (const auto* c = std::get_if<account::revoke_token>(&asked)) {
    const auto* known = find_in(now.tokens, c->token);
    if (!known) return rejection_code::not_found;
    if (known->revoked) return account_events{};
    return account_events{account::token_revoked{c->token, at}};
  }
  if (const auto* c = std::get_if<account::disable>(&asked)) {
    if (now.disabled) return account_events{};
    return account_events{account::disabled{c->reason, at}};
  }
  if (now.disabled) return rejection_code::forbidden;
  if (const auto* c = std::get_if<account::issue_token>(&asked)) {
    if (const auto* known = find_in(now.tokens, c->token)) {
      if (known->hash == c->hash) return account_events{};
      return rejection_code::wrong_state;
    }
    return account_events{account::token_issued{c->token, c->label, c->hash, c->expires_at, at}};
  }
  if (const auto* c = std::get_if<account::request_environment>(&asked))
    return judge_request(now, *c, at);
  return rejection_code::quarantined;  // not a client's command
}

complaint follow(account_model& now, const account::event& happened) {
  if (now.exists == std::holds_alternative<account::created>(happened))
    return "an account was created twice, or lived before it was created";
  return std::visit(match{
                        [&](const account::created&) -> complaint {
                          now.exists = true;
                          return {};
                        },
                        [&](const account::token_issued& e) -> complaint {
                          const bool fresh = now.tokens.try_emplace(e.token, e.hash, false).second;
                          return fresh ? complaint{}
                                       : "token " + e.token.value + " was issued twice";
                        },
                        [&](const account::token_revoked& e) -> complaint {
                          auto* known = find_in(now.tokens, e.token);
                          if (!known || known->revoked)
                            return "a token was revoked that was not valid";
                          known->revoked = true;
                          return {};
                        },
                        [&](const account::environment_requested& e) -> complaint {
                          for (const auto& [id, each] : now.environments)
                            if (each.name == e.name)
                              return "the name " + e.name + " was given twice";
                          now.environments[e.environment] = {e.name, false};
                          return {};
                        },
                        [&](const account::environment_confirmed& e) -> complaint {
                          auto* known = find_in(now.environments, e.environment);
                          if (!known || known->confirmed)
                            return "an environment was confirmed out of turn";
                          known->confirmed = true;
                          return {};
                        },
                        [&](const account::name_released& e) -> complaint {
                          const auto* known = find_in(now.environments, e.environment);
                          if (!known || known->name != e.name)
                            return "a name was released that was not held";
                          now.environments.erase(e.environment);
                          return {};
                        },
                        [&](const account::disabled&) -> complaint {
                          if (std::exchange(now.disabled, true))
                            return "an account was disabled twice";
                          return {};
                        },
                    },
                    happened);
}

complaint differs(const account_model& model, const account::state& told) {
  if (model.exists != told.exists || model.disabled != told.disabled)
    return "the account's existence";
  if (model.tokens.size() != told.tokens.size()) return "the number of tokens";
  for (const auto& [id, each] : told.tokens) {
    const auto* known = find_in(model.tokens, id);
    if (!known || known->revoked != each.revoked || known->hash != each.hash)
      return "token " + id.value;
  }
  if (model.environments.size() != told.environments.size()) return "the number of environments";
  for (const auto& [id, each] : told.environments) {
    const auto* known = find_in(model.environments, id);
    if (!known || known->name != each.name || known->confirmed != each.confirmed)
      return "the entry of " + id.value;
  }
  return {};
}

using session_verdict = verdict<session::event>;
using session_events = std::vector<session::event>;

session_verdict judge(const session_model& now, const session::command& asked, timestamp at) {
  if (const auto* c = std::get_if<session::open>(&asked)) {
    if (!now.exists)
      return session_events{session::opened{c->account, c->token, c->client, c->input_stream, at}};
    const bool same = now.account == c->account && now.token == c->token && now.client == c->client;
    if (same && !now.closed) return session_events{};
    return rejection_code::wrong_state;
  }
  if (!now.exists) return rejection_code::not_found;
  if (const auto* c = std::get_if<session::close>(&asked)) {
    if (now.closed) return session_events{};
    return session_events{session::closed{c->reason, at}};
  }
  if (const auto* c = std::get_if<session::detach>(&asked)) {
    if (!now.connections.contains(c->connection)) return session_events{};
    return session_events{session::detached{c->connection, at}};
  }
  if (now.closed) return rejection_code::wrong_state;
  if (const auto* c = std::get_if<session::attach>(&asked)) {
    if (now.connections.contains(c->connection)) return session_events{};
    return session_events{session::attached{c->connection, c->remote, at}};
  }
  if (const auto* c = std::get_if<session::hand_over>(&asked)) {
    if (now.input_stream != c->input_stream)
      return session_events{session::handed_over{c->client, c->input_stream, at}};
    if (now.client == c->client) return session_events{};
    return rejection_code::invalid_argument;
  }
  return rejection_code::quarantined;
}

complaint follow(session_model& now, const session::event& happened) {
  if (now.exists == std::holds_alternative<session::opened>(happened))
    return "a session was opened twice, or lived before it was opened";
  const bool may_follow_closed = std::holds_alternative<session::detached>(happened);
  if (now.closed && !may_follow_closed) return "a closed session went on";
  return std::visit(match{
                        [&](const session::opened& e) -> complaint {
                          now = {true, false, e.account, e.token, e.client, e.input_stream, {}};
                          return {};
                        },
                        [&](const session::attached& e) -> complaint {
                          if (!now.connections.insert(e.connection).second)
                            return "a connection attached twice";
                          return {};
                        },
                        [&](const session::detached& e) -> complaint {
                          if (now.connections.erase(e.connection) == 0)
                            return "a connection detached that was not attached";
                          return {};
                        },
                        [&](const session::handed_over& e) -> complaint {
                          now.client = e.client;
                          now.input_stream = e.input_stream;
                          return {};
                        },
                        [&](const session::closed& e) -> complaint {
                          if (e.reason == session::close_reason::idle && !now.connections.empty())
                            return "a session in use was called idle";
                          now.closed = true;
                          now.connections.clear();
                          return {};
                        },
                    },
                    happened);
}

complaint differs(const session_model& model, const session::state& told) {
  if (model.exists != told.exists || model.closed != told.closed) return "whether it is open";
  if (model.account != told.account || model.token != told.token) return "whose it is";
  if (model.client != told.client || model.input_stream != told.input_stream) return "the device";
  if (model.connections != told.connections) return "the connections";
  return {};
}

}  // namespace berth::sim
