#include "infra/terminal/csi_guard.hpp"

namespace berth {

namespace {
constexpr unsigned char cancel = 0x18, substitute = 0x1a, escape = 0x1b;

bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}
}  // namespace

// Controls inside a sequence are executed by emulators and do not end it.
bool csi_guard::take(unsigned char byte) {
  if (byte == escape) {
    place_ = place::after_escape;
    return true;
  }
  if (byte == cancel || byte == substitute) place_ = place::text;
  if (place_ == place::text || is_control(byte)) return true;
  if (place_ == place::after_escape) {
    place_ = byte == '[' ? place::arguments : place::text;
    separators_ = 0;
    return true;
  }
  if (byte >= 0x40) {
    place_ = place::text;
    return true;
  }
  if (byte == ';' || byte == ':') ++separators_;
  return byte < 0x30 || separators_ < arguments_max;
}

std::string_view csi_guard::filter(std::string_view output) {
  if (place_ == place::text && output.find(static_cast<char>(escape)) == std::string_view::npos)
    return output;
  kept_.clear();
  bool is_whole = true;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const bool passes = take(static_cast<unsigned char>(output[i]));
    if (!passes && is_whole) {
      is_whole = false;
      kept_.assign(output.substr(0, i));
    } else if (passes && !is_whole) {
      kept_.push_back(output[i]);
    }
  }
  return is_whole ? output : std::string_view{kept_};
}

}  // namespace berth
