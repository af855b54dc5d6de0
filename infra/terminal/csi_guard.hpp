// What of a program's control sequences must not reach libvterm 0.1.4 (Debian 12) as it is. What is
// fed to it is tenant input, and it
//  - writes the seventeenth argument of a sequence beyond its memory: arguments that are too many
//  go;
//  - moves the cursor left of the screen for U+0080 to U+009F, and writes beyond its memory there:
//    text comes to it well-formed and without these;
//  - never ends when it is to repeat (REP, CSI n b) a character that takes no column: repeating is
//  the
//    caller's.
//  - loses a title whose end comes apart from it: strings (OSC, DCS) come to it whole, up to 4,000
//    bytes, each by itself.
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

  // Told what to do, in the order of the output.
  class emulator {
   public:
    virtual void write(std::string_view bytes) = 0;
    virtual void repeat_last(std::size_t times) = 0;

   protected:
    ~emulator() = default;
  };

  // A sequence may come in any number of pieces; it is held until it is whole.
  void pass(std::string_view output, emulator& to);

 private:
  enum class place : char { text, after_escape, arguments, string };
  void take_text(std::string_view text);
  void begin_sequence();
  void take(char byte, emulator& to);
  void take_argument(char byte);
  void take_string(char byte, emulator& to);
  void give_string(emulator& to);
  void finish(char last, emulator& to);
  void leave(char last);
  void flush(emulator& to);

  place place_{place::text};
  std::size_t separators_{};
  std::size_t arguments_at_{};  // in held_
  std::string held_;            // of a sequence that is not whole
  std::string cut_;             // of a character that is not whole
  std::string whole_;           // of one call, to be written at once
};

}  // namespace berth
