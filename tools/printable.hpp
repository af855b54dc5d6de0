// Text of others, made fit for a screen: it never moves the cursor, colours, titles or asks the
// terminal. Control characters become spaces, also the 32 that UTF-8 has at U+0080 (C2 80 to C2
// 9F): many terminals take U+009B for escape and [.
#pragma once

#include <string>

namespace berth {

inline std::string printable(std::string text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (byte(i) < 0x20 || byte(i) == 0x7f) text[i] = ' ';
    if (byte(i) == 0xc2 && i + 1 < text.size() && byte(i + 1) >= 0x80 && byte(i + 1) < 0xa0)
      text.replace(i, 2, " ");
  }
  return text;
}

}  // namespace berth
