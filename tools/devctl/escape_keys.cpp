#include "tools/devctl/escape_keys.hpp"

namespace berth::devctl {

constexpr char ctrl_bracket = '\x1d';

escape_keys::result escape_keys::feed(std::string_view typed) {
  result found;
  for (const char key : typed) {
    if (at_ == at::tilde) {
      at_ = at::middle;
      if (key == '.') return found.detach = true, found;
      if (key != '~') found.send += '~';
    } else if (at_ == at::bracket) {
      at_ = at::middle;
      if (key == '.' || key == 'd') return found.detach = true, found;
      if (key == 't') {
        found.take_drive = true;
        continue;
      }
      if (key != ctrl_bracket) found.send += ctrl_bracket;
    } else if (key == ctrl_bracket) {
      at_ = at::bracket;
      continue;
    } else if (key == '~' && at_ == at::line_start) {
      at_ = at::tilde;
      continue;
    }
    found.send += key;
    at_ = key == '\r' || key == '\n' ? at::line_start : at::middle;
  }
  return found;
}

}  // namespace berth::devctl
