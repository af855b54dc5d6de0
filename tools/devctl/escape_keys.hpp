// Finds the keys that are for devctl in what the user types. Pure.
//
//   Enter ~ .            detach (as ssh)          Enter ~ ~      one ~
//   Ctrl-] .  or  d      detach                   Ctrl-] Ctrl-]  one Ctrl-]
//   Ctrl-] t             take the drive           anything else is sent as typed
#pragma once

#include <string>
#include <string_view>

namespace berth::devctl {

class escape_keys {
 public:
  struct result {
    std::string send;
    bool detach{};
    bool take_drive{};
  };
  // Bytes after a detach are dropped.
  result feed(std::string_view typed);

 private:
  enum class at : unsigned char { line_start, middle, tilde, bracket };
  at at_{at::line_start};
};

}  // namespace berth::devctl
