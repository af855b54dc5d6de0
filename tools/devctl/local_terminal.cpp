#include "tools/devctl/local_terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>

#include "events/core/invariant.hpp"

namespace berth::devctl {
namespace {

constexpr std::array crashes{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::array watched{SIGWINCH, SIGCONT, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// Reached from signal handlers, hence globals of trivial type.
termios saved_modes;
std::atomic<bool> is_raw{false};
std::array<int, 2> pipe_ends{-1, -1};
std::array<struct sigaction, watched.size()> former;

void restore_modes() {
  if (is_raw.exchange(false)) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_modes);
}

void on_crash(int number) {
  restore_modes();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void on_signal(int number) {
  const int kept = errno;
  const auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] const auto written =
      ::write(pipe_ends[1], &byte, 1);  // full = a wake is pending
  errno = kept;
}

void enter_raw() {
  if (is_raw || !::isatty(STDIN_FILENO) || ::tcgetattr(STDIN_FILENO, &saved_modes) != 0) return;
  auto raw = saved_modes;
  ::cfmakeraw(&raw);
  is_raw = true;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

}  // namespace

std::optional<terminal_size> local_size() {
  for (const int file : {STDOUT_FILENO, STDIN_FILENO}) {
    winsize size{};
    if (::ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
      return terminal_size{size.ws_col, size.ws_row};
  }
  return {};
}

raw_mode::raw_mode() {
  static const bool registered = [] {
    std::atexit(restore_modes);
    for (const int number : crashes) ::signal(number, on_crash);
    return true;
  }();
  (void)registered;
  enter_raw();
}
raw_mode::~raw_mode() {
  restore_modes();
}
void raw_mode::suspend() {
  restore_modes();
}
void raw_mode::resume() {
  enter_raw();
}

signal_pipe::signal_pipe() {
  BERTH_ASSERT(pipe_ends[0] == -1);
  BERTH_ASSERT(::pipe2(pipe_ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < watched.size(); ++i) ::sigaction(watched[i], &action, &former[i]);
}

signal_pipe::~signal_pipe() {
  for (std::size_t i = 0; i < watched.size(); ++i) ::sigaction(watched[i], &former[i], nullptr);
  for (auto& end : pipe_ends) {
    ::close(end);
    end = -1;
  }
}

int signal_pipe::read_fd() const {
  return pipe_ends[0];
}

int signal_pipe::take() {
  unsigned char byte = 0;
  while (::read(pipe_ends[0], &byte, 1) == 1)
    if (byte != 0) return byte;
  return 0;
}

void signal_pipe::wake() {
  on_signal(0);
}

}  // namespace berth::devctl
