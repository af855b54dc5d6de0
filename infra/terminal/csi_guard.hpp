// Cuts control sequences with more arguments than an emulator has room for: libvterm up to 0.1.4
// (Debian 12) writes the seventeenth beyond its memory, and what is fed to it is tenant input.
// ECMA-48 §5.4: CSI is ESC [, then bytes 30–3F with ; and : between arguments, then 20–2F, then one
// of 40–7E.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth {

class csi_guard {
 public:
  static constexpr std::size_t arguments_max = 16;

  // The output without the arguments that are too many. Sequences may be cut anywhere between
  // calls. The result lives until the next call, or as long as `output` if nothing had to go.
  std::string_view filter(std::string_view output);

 private:
  enum class place : char { text, after_escape, arguments };
  // Whether the byte is passed on.
  bool take(unsigned char byte);

  place place_{place::text};
  std::size_t separators_{};
  std::string kept_;
};

}  // namespace berth
