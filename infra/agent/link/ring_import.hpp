// What a dead agent left of a terminal's output, from its ring file (protocol/ring_file.hpp). The
// file is the host's own but was written by the environment's agent: everything in its header is
// checked before use.
#pragma once

#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"

namespace berth::agent {

struct ring_tail {
  std::uint64_t first{};  // number of the first byte of `bytes`: the asked offset, or the lowest
                          // held if that is higher
  std::string bytes;      // up to the terminal's end
  terminal_end end;       // reason agent_lost unless the terminal had ended before its agent
};

// Terminals with a ring file in the directory, in order of their ids.
std::vector<terminal_id> list_rings(const std::string& state_directory);
// not_found: no file. io: unreadable, damaged, or of another boot of this machine. An offset past
// the end gives no bytes.
host_result<ring_tail> import_ring(const std::string& state_directory, const terminal_id& terminal,
                                   std::uint64_t from);
void remove_ring(const std::string& state_directory, const terminal_id& terminal);

}  // namespace berth::agent
