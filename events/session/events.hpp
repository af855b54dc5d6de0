// What happened to a session (schemas/session.fbs).
#pragma once

#include <string>
#include <variant>

#include "events/session/commands.hpp"

namespace berth::session {

struct opened {
  account_id account;
  token_id token;
  std::string client;
  input_stream_id input_stream;
  timestamp at;
  bool operator==(const opened&) const = default;
};
struct attached {
  std::string connection;
  std::string remote;
  timestamp at;
  bool operator==(const attached&) const = default;
};
struct detached {
  std::string connection;
  timestamp at;
  bool operator==(const detached&) const = default;
};
struct handed_over {
  std::string client;
  input_stream_id input_stream;
  timestamp at;
  bool operator==(const handed_over&) const = default;
};
struct closed {
  close_reason reason{};
  timestamp at;
  bool operator==(const closed&) const = default;
};

using event = std::variant<opened, attached, detached, handed_over, closed>;

}  // namespace berth::session
