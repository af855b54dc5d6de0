// The reference model: what accounts, sessions, environments and terminals do, written from
// DESIGN's words and the comments of the aggregates' headers, not from their decide or apply. It
// judges what clients ask and follows what the log says.
//
//   judge(model, command, at)   the events the command must cause, or the refusal it must get
//   follow(model, event)        the model after the event; says what is illegal about it
//   differs(model, state)       what a state told to a client has that the model has not
//
// Commands of Berth itself (reports, deadlines) are not judged: their events are followed, and must
// be legal where they come.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "events/account/aggregate.hpp"
#include "events/environment/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::sim {

template <class Event>
using verdict = std::variant<rejection_code, std::vector<Event>>;
using complaint = std::optional<std::string>;

struct account_model {
  struct known_token {
    account::secret_hash hash{};
    bool revoked{};
  };
  struct known_environment {
    std::string name;
    bool confirmed{};
  };
  bool exists{};
  bool disabled{};
  std::map<token_id, known_token> tokens;
  std::map<environment_id, known_environment> environments;
};
verdict<account::event> judge(const account_model&, const account::command&, timestamp at);
complaint follow(account_model&, const account::event&);
complaint differs(const account_model&, const account::state&);

struct session_model {
  bool exists{};
  bool closed{};
  account_id account;
  token_id token;
  std::string client;
  input_stream_id input_stream;
  std::set<std::string> connections;
};
verdict<session::event> judge(const session_model&, const session::command&, timestamp at);
complaint follow(session_model&, const session::event&);
complaint differs(const session_model&, const session::state&);

struct environment_model {
  environment::status status{};
  timestamp deadline;  // of a state that must end; none: it may stay
  timestamp deadline_since;
  account_id account;
  std::string name;
  std::string instance_type;
  std::string incarnation;
  timestamp started_at;
  timestamp activity;
  std::set<exec_id> execs;
};
verdict<environment::event> judge(const environment_model&, const environment::command&,
                                  timestamp at);
complaint follow(environment_model&, const environment::event&);
complaint differs(const environment_model&, const environment::state&);

struct terminal_model {
  terminal::status status{};
  account_id account;
  environment_id environment;
  std::uint16_t cols{}, rows{};
  terminal::journal_mode journal{};
  session_id driver;
  bool close_asked{};
  std::uint64_t final_offset{};
};
verdict<terminal::event> judge(const terminal_model&, const terminal::command&, timestamp at);
complaint follow(terminal_model&, const terminal::event&);
complaint differs(const terminal_model&, const terminal::state&);

// Texts for people and prices are not the model's business: both sides are made the same.
void forget_texts(std::vector<environment::event>& events);

}  // namespace berth::sim
