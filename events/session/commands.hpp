// What a session may be asked.
#pragma once

#include <string>
#include <variant>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::session {

enum class close_reason : std::uint8_t { logout = 0, revoked = 1, idle = 2, handed_over = 3 };

struct open {
  account_id account;
  token_id token;
  std::string client;
  input_stream_id input_stream;
};
struct attach {
  std::string connection;
  std::string remote;
};
struct detach {
  std::string connection;
};
struct hand_over {
  std::string client;
  input_stream_id input_stream;
};
struct close {
  close_reason reason{};
};
struct expire {};  // by the shell, after idle_max without a connection

using command = std::variant<open, attach, detach, hand_over, close, expire>;

}  // namespace berth::session
