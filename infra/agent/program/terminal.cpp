#include "infra/agent/program/terminal.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "events/core/invariant.hpp"

namespace berth::agent {
namespace {
using std::chrono::milliseconds;
constexpr std::size_t read_turn_bytes = 64 * 1024;
constexpr milliseconds kill_after_hang_up{5'000};
constexpr milliseconds disk_full_retry{1'000};
constexpr milliseconds give_back_after{1'000};  // without output
// More than a PTY can hold: all the program wrote before its exit is inside it. What others write
// after it does not keep the terminal open for ever.
constexpr std::uint64_t read_after_exit_bytes_max = 1024 * 1024;
constexpr gid_t tty_group = 5;
}  // namespace

terminal::~terminal() {
  if (retry_timer_) loop_.cancel(retry_timer_);
  if (kill_timer_) loop_.cancel(kill_timer_);
  if (give_back_timer_) loop_.cancel(give_back_timer_);
  if (pty_) loop_.remove(pty_.get());
  if (status_) loop_.remove(status_.get());
  if (ring_) ::unlinkat(state_directory_, (id_ + ".ring").c_str(), 0);
}

bool terminal::make_pty(const terminal_request& request, const user_record& user,
                        std::string& problem) {
  pty_.reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  int unlocked = 0;
  if (pty_ && ::ioctl(pty_.get(), TIOCSPTLCK, &unlocked) == 0)
    peer_.reset(::ioctl(pty_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!peer_) {
    problem = std::string{"cannot open a PTY: "} + std::strerror(errno);
    return false;
  }
  termios modes{};
  if (::tcgetattr(peer_.get(), &modes) == 0) {
    modes.c_iflag |= IUTF8;
    ::tcsetattr(peer_.get(), TCSANOW, &modes);
  }
  // Not fatal: without root there is one user, who owns it already.
  [[maybe_unused]] const auto owned = ::fchown(peer_.get(), user.uid, tty_group);
  ::fchmod(peer_.get(), 0620);
  resize(request.cols, request.rows);
  return true;
}

bool terminal::open(spawner& spawner, int state_directory, terminal_request request,
                    std::string& problem) {
  const auto user = spawner.user_for(request.program.user);
  if (!user) {
    problem = "no such user: " + request.program.user;
    return false;
  }
  if (!make_pty(request, *user, problem)) return false;
  int error = 0;
  state_directory_ = state_directory;
  auto made = ring_file::create(state_directory, id_ + ".ring", request.buffer_bytes_max, error);
  if (!made) {
    problem = std::string{"cannot make the ring file: "} + std::strerror(error);
    return false;
  }
  ring_.emplace(std::move(*made));
  auto& program = request.program;
  program.controlling_terminal = true;
  for (auto& fd : program.standard_fds) fd = peer_.get();
  auto child = spawner.start(program, problem);
  if (!child) return false;
  pid_ = child->pid;
  status_ = std::move(child->status);
  loop_.add(status_.get(), EPOLLIN, [this](std::uint32_t) { on_status(); });
  watch();
  return true;
}

void terminal::on_status() {
  const auto status = read_spawn_status(status_.get());
  if (!status) return;
  loop_.remove(status_.get());
  status_.reset();
  if (!status->empty()) return owner_.terminal_failed(*this, *status);
  started_ = true;
  owner_.terminal_started(*this);
  if (wait_status_) read_turn();
}

std::size_t terminal::room() const {
  if (disk_full_) return 0;
  const auto end = ring_->end();
  const auto paced = closing_ || read_until_ == pace_free ? pace_free
                     : read_until_ > end                  ? read_until_ - end
                                                          : 0;
  return static_cast<std::size_t>(std::min(paced, ring_->free_bytes()));
}

// A PTY that is not wanted is taken out of the loop: EPOLLHUP cannot be masked.
void terminal::watch() {
  if (!pty_) return;
  std::uint32_t events = 0;
  if (!hung_up_ && room() > 0) events |= EPOLLIN;
  if (!hung_up_ && !pending_input_.empty()) events |= EPOLLOUT;
  const int fd = pty_.get();
  if (events == 0) return loop_.remove(fd);
  if (loop_.watches(fd)) return loop_.change(fd, events);
  loop_.add(fd, events, [this](std::uint32_t ready) { on_pty(ready); });
}

void terminal::on_pty(std::uint32_t events) {
  if (events & EPOLLOUT) write_some();
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) return read_turn();
  watch();
}

terminal::read_end terminal::read_some(std::size_t budget) {
  while (budget > 0) {
    auto want = std::min(budget, room());
    if (want == 0) return read_end::no_room;
    char* place = ring_->writable(want);
    if (!place) {
      disk_full_ = true;
      retry_timer_ = loop_.after(disk_full_retry, [this] {
        retry_timer_ = 0;
        disk_full_ = false;
        read_turn();
      });
      return read_end::no_room;
    }
    const auto got = ::read(pty_.get(), place, want);
    if (got > 0) {
      ring_->commit(static_cast<std::size_t>(got));
      if (wait_status_) read_after_exit_ += static_cast<std::uint64_t>(got);
      budget -= static_cast<std::size_t>(got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return read_end::empty;
    return read_end::hung_up;  // EIO: no process has the terminal open
  }
  return read_end::budget;
}

void terminal::read_turn() {
  if (ended_ || !pty_) return;
  const auto before = ring_->end();
  const auto how = hung_up_ ? read_end::hung_up : read_some(read_turn_bytes);
  if (how == read_end::hung_up) hung_up_ = true;
  const bool drained = how == read_end::hung_up || how == read_end::empty ||
                       read_after_exit_ > read_after_exit_bytes_max ||
                       (killed_ && how == read_end::no_room);
  if (ring_->end() != before) owner_.output_grew(*this);
  if (wait_status_ && drained) return finish();
  watch();
  // With the program gone nothing need make the PTY readable again.
  if (wait_status_ && how == read_end::budget && !retry_timer_) {
    retry_timer_ = loop_.after(milliseconds{0}, [this] {
      retry_timer_ = 0;
      read_turn();
    });
  }
}

void terminal::reaped(std::int32_t wait_status) {
  wait_status_ = wait_status;
  peer_.reset();
  if (started_) read_turn();
}

void terminal::finish() {
  BERTH_ASSERT(!ended_ && wait_status_);
  ended_ = true;
  loop_.remove(pty_.get());
  pty_.reset();  // hangs up whoever still has it
  pending_input_.clear();
  if (kill_timer_) loop_.cancel(std::exchange(kill_timer_, 0));
  ring_->set_ended(*wait_status_);
  owner_.terminal_ended(*this);
}

void terminal::input(const id_bytes& stream, std::uint64_t sequence, std::string bytes) {
  inputs_.accepted(stream, sequence);
  pending_input_bytes_ += bytes.size();
  pending_input_.push_back({stream, sequence, std::move(bytes)});
  if (pending_input_.size() == 1) write_some();
  watch();
}

void terminal::write_some() {
  while (!pending_input_.empty() && pty_) {
    auto& next = pending_input_.front();
    while (next.written < next.bytes.size()) {
      const auto wrote =
          ::write(pty_.get(), next.bytes.data() + next.written, next.bytes.size() - next.written);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return;
      next.written += static_cast<std::size_t>(wrote);
    }
    pending_input_bytes_ -= next.bytes.size();
    inputs_.applied(next.stream, next.sequence);
    const auto done = std::move(next);
    pending_input_.pop_front();
    owner_.input_applied(*this, done.stream, done.sequence);
  }
}

void terminal::resize(std::uint16_t cols, std::uint16_t rows) {
  if (!pty_ || (cols == cols_ && rows == rows_)) return;
  winsize size{};
  size.ws_col = cols_ = cols;
  size.ws_row = rows_ = rows;
  ::ioctl(pty_.get(), TIOCSWINSZ, &size);
}

void terminal::pace(std::uint64_t read_until) {
  read_until_ = read_until;
  wait_status_ ? read_turn() : watch();
}

void terminal::durable(std::uint64_t offset) {
  ring_->drop_below(offset);
  give_back_later();
  wait_status_ && !ended_ ? read_turn() : watch();
}

// Taking space and giving it back costs more than the bytes: not while the program prints.
void terminal::give_back_later() {
  if (give_back_timer_) return;
  end_when_armed_ = ring_->end();
  give_back_timer_ = loop_.after(give_back_after, [this] {
    give_back_timer_ = 0;
    if (ring_->end() != end_when_armed_) return give_back_later();
    ring_->give_back();
  });
}

void terminal::signal_all(int number) {
  if (pid_ <= 0 || wait_status_) return;
  pid_t foreground = 0;
  if (pty_ && ::ioctl(pty_.get(), TIOCGPGRP, &foreground) == 0 && foreground > 0 &&
      foreground != pid_)
    ::kill(-foreground, number);
  if (::kill(-pid_, number) != 0) ::kill(pid_, number);
}

void terminal::hang_up() {
  if (ended_ || closing_) return;
  closing_ = true;
  signal_all(SIGHUP);
  signal_all(SIGCONT);  // a stopped program cannot act on the hangup
  kill_timer_ = loop_.after(kill_after_hang_up, [this] {
    kill_timer_ = 0;
    kill();
  });
  wait_status_ ? read_turn() : watch();
}

void terminal::kill() {
  if (ended_) return;
  closing_ = killed_ = true;
  signal_all(SIGKILL);
  if (wait_status_) read_turn();
}

}  // namespace berth::agent
