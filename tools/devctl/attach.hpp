// One interactive attachment to a terminal: local screen and keys on one side, the WebSocket client
// on the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/devctl/config.hpp"

namespace berth::devctl {

struct attach_options {
  std::string terminal;  // id
  bool exact{};
  bool view{};  // only watch
  std::uint64_t from{};
};

struct attach_outcome {
  bool ended{};  // the program is over; otherwise the user detached
  std::optional<int> exit_code;
  int signal{};
  std::string reason;
  std::uint64_t cursor{};  // offset of the next byte; --from continues there
};

// Blocks until the program ends, the user detaches, or a signal ends devctl (which then dies of
// that signal, the terminal restored). A lost connection is shown and mended. Throws failure if the
// terminal can't be attached.
attach_outcome attach(const config& used, const attach_options& asked);

}  // namespace berth::devctl
