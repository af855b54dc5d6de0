// The terminal devctl runs in: raw mode that is undone on every way out, its size, and the signals
// that matter.
#pragma once

#include <cstdint>
#include <optional>

namespace berth::devctl {

struct terminal_size {
  std::uint16_t cols{80};
  std::uint16_t rows{24};
  bool operator==(const terminal_size&) const = default;
};
// Of the controlling terminal on stdout or stdin; nothing if neither is one.
std::optional<terminal_size> local_size();

// Puts stdin into raw mode, if it is a terminal, until destroyed. A crash (SIGSEGV, SIGABRT …) and
// exit() restore it too. One at a time.
class raw_mode {
 public:
  raw_mode();
  ~raw_mode();
  raw_mode(const raw_mode&) = delete;
  raw_mode& operator=(const raw_mode&) = delete;
  void suspend();  // restore now …
  void resume();   // … and go on
};

// Turns signals into readable bytes: read_fd() becomes readable, take() gives the next signal
// number, 0 = none. Watches SIGWINCH, SIGCONT, SIGTSTP and what ends a program politely (SIGINT,
// SIGTERM, SIGHUP, SIGQUIT). wake() from any thread makes it readable as well. One at a time; the
// former handlers are put back.
class signal_pipe {
 public:
  signal_pipe();
  ~signal_pipe();
  signal_pipe(const signal_pipe&) = delete;
  signal_pipe& operator=(const signal_pipe&) = delete;
  int read_fd() const;
  int take();
  void wake();
};

}  // namespace berth::devctl
