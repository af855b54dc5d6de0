// The agent: terminals, commands, dials and the gateway door of one environment, for whichever
// server owns it now.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "infra/agent/loop/event_loop.hpp"
#include "infra/agent/program/dialer.hpp"
#include "infra/agent/program/exec_table.hpp"
#include "infra/agent/program/gateway_door.hpp"
#include "infra/agent/program/options.hpp"
#include "infra/agent/program/session.hpp"
#include "infra/agent/program/spawn.hpp"
#include "infra/agent/program/terminal.hpp"

namespace berth::agent {

class agent_server : public session_owner, public terminal_owner {
 public:
  static constexpr std::size_t terminals_max =
      1024;  // ended ones included, until they may be forgotten
  static constexpr std::size_t connections_max = 16;

  agent_server(event_loop& loop, const options& options, spawner& spawner, unique_fd listener,
               unique_fd state);
  ~agent_server();

  void reaped(pid_t pid, std::int32_t wait_status);
  // Terminals are hung up and commands ended; the loop stops when all are gone, after `grace` by
  // SIGKILL.
  void shut_down(std::chrono::milliseconds grace);

 private:
  void accept_connection();
  void frame_came(session& from, frame&& what) override;
  void session_over(session& which, const std::string& why) override;
  void terminal_started(terminal& who) override;
  void terminal_failed(terminal& who, const std::string& why) override;
  void output_grew(terminal& who) override;
  void input_applied(terminal& who, const id_bytes& stream, std::uint64_t sequence) override;
  void terminal_ended(terminal& who) override;

  void on_control(session& from, const std::string& payload);
  void on_terminal_frame(session& from, frame& what);
  void on_input(session& from, terminal& to, frame& what);
  void greet(session& from, const wire::Hello& hello);
  void welcome(session& to);
  void on_claim(session& from, const wire::Claim& claim);
  void on_open(session& from, const wire::OpenTerminal& request);
  void on_bind(session& from, const wire::Bind& request);
  void on_dial(session& from, const wire::Dial& request);
  void tell_problem(session& to, std::uint16_t channel, wire::Problem problem,
                    const std::string& message);
  void tell_started(session& to, const terminal& what);
  bool make_room_for_terminal();
  void forget(terminal& what);
  void send_stats();
  void stop_if_done();

  event_loop& loop_;
  const options& options_;
  spawner& spawner_;
  unique_fd listener_;
  unique_fd state_;
  std::list<std::unique_ptr<session>> sessions_;
  session* owner_ = nullptr;
  std::uint64_t last_session_ = 0;
  std::uint64_t epoch_seen_ = 0;
  std::map<std::string, std::unique_ptr<terminal>> terminals_;
  exec_table execs_;
  dialer dialer_;
  gateway_door door_;
  bool shutting_down_ = false;
};

}  // namespace berth::agent
