// The first administrator: an account named "admin" and its token in DIR/admin-token (0600).
// Repeatable: a crash in between leaves something the next start completes, and a lost token file
// is written again.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "actors/kernel.hpp"
#include "actors/ports/clock.hpp"

namespace berth::berthd {

struct administrator {
  bool created{};  // now, not earlier
  std::string token_file;
  std::optional<std::string> error;
};
administrator ensure_administrator(kernel& core, const std::array<std::uint8_t, 32>& server_key,
                                   const std::string& token_file);

}  // namespace berth::berthd
