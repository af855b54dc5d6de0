// One PTY: its program, its output in the ring file, its input. Lives from open to the server's
// last word about it.
//
//   starting -> running -> leaving (program gone, PTY not empty) -> ended
//
// Output is read only while there is room: below the pace (read_until) and inside the ring. What is
// not read blocks the program, it is never lost. ended comes after the last byte.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "infra/agent/loop/event_loop.hpp"
#include "infra/agent/program/input_table.hpp"
#include "infra/agent/program/spawn.hpp"
#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/ring_file.hpp"

namespace berth::agent {

class terminal;

class terminal_owner {
 public:
  virtual ~terminal_owner() = default;
  virtual void terminal_started(terminal& who) = 0;
  virtual void terminal_failed(terminal& who,
                               const std::string& why) = 0;  // never ran; may be destroyed in it
  virtual void output_grew(terminal& who) = 0;
  virtual void input_applied(terminal& who, const id_bytes& stream, std::uint64_t sequence) = 0;
  virtual void terminal_ended(terminal& who) = 0;
};

struct terminal_request {
  std::string id;
  workload program;
  std::uint16_t cols{};
  std::uint16_t rows{};
  std::uint64_t buffer_bytes_max{};
};

class terminal {
 public:
  static constexpr std::size_t pending_input_bytes_max =
      256 * 1024;  // a server has at most 64 KiB under way

  terminal(event_loop& loop, terminal_owner& owner, std::string id)
      : loop_{loop}, owner_{owner}, id_{std::move(id)} {}
  terminal(const terminal&) = delete;
  ~terminal();

  // False and the reason if nothing was started. Otherwise terminal_started or terminal_failed
  // follows.
  bool open(spawner& spawner, int state_directory, terminal_request request, std::string& problem);

  const std::string& id() const { return id_; }
  pid_t pid() const { return pid_; }
  bool started() const { return started_; }
  bool ended() const { return ended_; }
  bool has_been_reaped() const { return wait_status_.has_value(); }
  const ring_file& ring() const { return *ring_; }
  std::int32_t wait_status() const { return wait_status_.value_or(0); }
  // Ended, told and stored: nothing here is needed any more.
  bool may_be_forgotten() const { return ended_ && end_was_told && ring_->base() == ring_->end(); }
  bool end_was_told = false;   // to a server
  bool release_asked = false;  // a server will not ask for it again

  input_table& inputs() { return inputs_; }
  bool takes_input(std::size_t bytes) const {
    return pending_input_.empty() || pending_input_bytes_ + bytes <= pending_input_bytes_max;
  }
  void input(const id_bytes& stream, std::uint64_t sequence, std::string bytes);
  void resize(std::uint16_t cols, std::uint16_t rows);
  void pace(std::uint64_t read_until);
  void durable(std::uint64_t offset);
  void hang_up();  // SIGHUP now, SIGKILL after 5 s
  void kill();
  void reaped(std::int32_t wait_status);

 private:
  struct pending_input {
    id_bytes stream;
    std::uint64_t sequence;
    std::string bytes;
    std::size_t written = 0;
  };
  enum class read_end : std::uint8_t { budget, empty, no_room, hung_up };

  bool make_pty(const terminal_request& request, const user_record& user, std::string& problem);
  void on_status();
  void on_pty(std::uint32_t events);
  read_end read_some(std::size_t budget);
  void read_turn();
  void write_some();
  void give_back_later();
  void watch();
  void finish();
  void signal_all(int number);
  std::size_t room() const;

  event_loop& loop_;
  terminal_owner& owner_;
  std::string id_;
  std::optional<ring_file> ring_;
  int state_directory_ = -1;
  unique_fd pty_;
  unique_fd peer_;  // held until the program is gone, so that one which closes and reopens its
                    // terminal does not end it
  unique_fd status_;
  pid_t pid_ = -1;
  bool started_ = false;
  bool ended_ = false;
  bool hung_up_ = false;  // the PTY said end of file
  bool closing_ = false;  // the server hung up: the pace no longer holds
  bool killed_ = false;
  bool disk_full_ = false;
  std::optional<std::int32_t> wait_status_;
  std::uint64_t read_after_exit_ = 0;
  std::uint64_t read_until_ = pace_free;
  std::uint16_t cols_ = 0;
  std::uint16_t rows_ = 0;
  input_table inputs_;
  std::deque<pending_input> pending_input_;
  std::size_t pending_input_bytes_ = 0;
  event_loop::timer_id kill_timer_ = 0;
  event_loop::timer_id retry_timer_ = 0;
  event_loop::timer_id give_back_timer_ = 0;
  std::uint64_t end_when_armed_ = 0;
};

}  // namespace berth::agent
