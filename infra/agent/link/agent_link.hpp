// The server's client of one agent, for one incarnation of one environment. Owns the connection:
// connects, reconnects with backoff, and after each reconnect asks again for what was under way, so
// that callers see neither drops nor repeats: output goes on at the next byte, input and execs are
// keyed (agent side), dials are asked again.
//
//   make -> connecting <-> ready -> over: lost (the process exited), refused (stale owner,
//   superseded, another version or environment, a greeting not understood again and again) or
//   detached
//
// Once over, every call under way completes: exec outcome_unknown, all else not_running
// (stale_owner if refused so). Threads: calls from any thread, they never block; observer and
// completions run on the reactor's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"
#include "infra/agent/link/agent_reactor.hpp"
#include "infra/agent/protocol/frame_socket.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

struct agent_address {
  std::string socket_path;
  unique_fd pidfd;  // of the agent; without one the agent is lost after 10 s of refused connections
  environment_id environment;
  incarnation life;
  std::uint64_t owner_epoch{};
};

struct agent_terminal {
  terminal_id id;
  std::uint64_t base_offset{};
  std::uint64_t end_offset{};
  std::int32_t pid{};
  bool ended{};
};

// On the reactor's thread; must not block. May call the link.
class agent_link_observer {
 public:
  virtual ~agent_link_observer() = default;
  // After each handshake.
  virtual void agent_ready(const environment_id& environment,
                           const std::vector<agent_terminal>& terminals) = 0;
  virtual void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                               shared_bytes data) = 0;
  virtual void terminal_ended(const terminal_id& terminal, const terminal_end& end) = 0;
  // A followed terminal cannot be given: not_found, or the offset is outside what is held;
  // first_offset is the lowest.
  virtual void terminal_missing(const terminal_id& terminal, const host_error& why,
                                std::uint64_t first_offset) = 0;
  virtual void stats_seen(const environment_id& environment, const environment_stats& stats) = 0;
  // Somebody inside connected to the gateway door; the observer owns the descriptor.
  virtual void gateway_connection(const environment_id& environment, int fd) = 0;
  // The last call. `lost`: the agent's process is gone; else it refused this server.
  virtual void agent_over(const environment_id& environment, const incarnation& life, bool lost,
                          const host_error& why) = 0;
};

class agent_link : public std::enable_shared_from_this<agent_link> {
 public:
  static constexpr std::size_t calls_max = 1024;  // execs and dials under way, each
  static constexpr std::size_t input_window_bytes =
      64 * 1024;  // sent and not acknowledged, a terminal
  static constexpr std::size_t input_queue_bytes_max =
      1024 * 1024;  // waiting for the window, a terminal

  // The observer must outlive detach().
  static std::shared_ptr<agent_link> make(agent_reactor& reactor, agent_address address,
                                          agent_link_observer& observer);
  ~agent_link();

  // No callback and no completion after it returns; what is under way is dropped. Agents live on.
  void detach();
  void claim(std::uint64_t owner_epoch);  // a higher owner epoch from now on

  void exec(const exec_request& request, host_completion<exec_output> done);
  void open_terminal(const terminal_spec& spec, host_completion<terminal_started> done);
  void follow(const terminal_id& terminal, std::uint64_t from);
  void input(const terminal_id& terminal, const input_stream_id& stream, std::uint64_t sequence,
             std::string bytes, host_completion<input_outcome> done);
  void resize(const terminal_id& terminal, std::uint16_t cols, std::uint16_t rows);
  void pace(const terminal_id& terminal, std::optional<std::uint64_t> read_until);
  void durable(const terminal_id& terminal, std::uint64_t offset);
  void close_terminal(const terminal_id& terminal);
  void dial(std::uint16_t port, host_completion<int> done);
  // Terminals are hung up, commands ended, the agent exits: agent_over(lost) follows.
  void shut_down(std::chrono::milliseconds grace);
  // Test aid: the connection breaks as if the server had died.
  void break_connection();

 private:
  enum class phase : std::uint8_t { connecting, greeting, ready, over };
  struct queued_input {
    input_stream_id stream;
    std::uint64_t sequence{};
    std::string bytes;
    host_completion<input_outcome> done;
    bool sent{};
  };
  struct channel {
    terminal_id id;
    std::uint16_t number{};
    std::optional<wire::OpenTerminalT> opening;
    std::vector<host_completion<terminal_started>> opened;
    event_loop::timer_id opening_timer{};
    std::optional<std::uint64_t> next;  // set while followed
    bool resync = false;                // waits for output at `next` after a follow
    std::optional<std::uint64_t> pace;
    std::uint64_t durable{};
    std::optional<std::uint64_t> size;
    bool close_asked = false;
    std::optional<std::uint64_t> ended_at;
    bool missing = false;
    std::deque<queued_input> inputs;
    std::size_t input_bytes{};
    std::size_t window_bytes{};
  };
  struct exec_call {
    std::string packet;
    std::vector<host_completion<exec_output>> done;
    event_loop::timer_id timer{};
  };
  struct dial_call {
    std::uint16_t port{};
    host_completion<int> done;
    event_loop::timer_id timer{};
  };

  agent_link(agent_reactor& reactor, agent_address address, agent_link_observer& observer);
  template <class Task>
  void post(Task task);

  // agent_link_connection.cpp
  void start();
  void connect();
  void retry(const std::string& why);
  void greet();
  void on_socket(std::uint32_t events);
  void on_pidfd();
  void ask_again();
  void ask_again(channel& channel);
  void flush();
  void drop_socket();
  void finish(bool lost, host_error why);
  void send(std::string packet);
  void send(const channel& to, frame_kind kind, std::uint64_t offset, std::string payload = {});

  // agent_link_answers.cpp
  void on_frame(frame&& what);
  void on_packet(const wire::Packet& packet);
  void on_welcome(const wire::Welcome& welcome);
  void on_output(channel& from, frame&& what);
  void on_input_ack(channel& from, const frame& what);
  void on_terminal_ended(const wire::TerminalEnded& ended);
  void on_terminal_started(const wire::TerminalStarted& started);
  void on_terminal_problem(const wire::TerminalProblem& problem);
  void on_exec_done(const wire::ExecDone& done);
  void on_dial_done(const wire::DialDone& done, unique_fd descriptor);
  void on_refused(const wire::Refused& refused);
  void protocol_error(const std::string& what);

  channel* channel_at(std::uint16_t number);
  channel* find(const terminal_id& terminal);
  channel* find_or_make(const terminal_id& terminal, bool bind = true);
  void maybe_release(channel& channel);
  void send_claim();
  void send_bind(const channel& channel);
  void send_inputs(channel& channel);
  void fail_inputs(channel& channel, const host_error& why);
  void fail_opening(channel& channel, const host_error& why);
  bool ready() const { return phase_ == phase::ready; }
  host_error over_error() const;
  host_error unknown_outcome() const;

  agent_reactor& reactor_;
  agent_address address_;
  agent_link_observer* observer_;
  phase phase_ = phase::connecting;
  std::optional<frame_socket> socket_;
  bool in_receive_ = false;
  bool socket_bad_ = false;
  std::uint64_t epoch_said_ = 0;  // in the Hello of this connection
  int connect_failures_ = 0;
  int refusals_ = 0;     // protocol, since the last welcome
  int quick_drops_ = 0;  // connections in a row that did not last a second
  event_loop::clock::time_point welcomed_at_;
  event_loop::clock::time_point disconnected_at_ = event_loop::clock::now();
  event_loop::timer_id connect_timer_ = 0;
  std::map<terminal_id, std::uint16_t> numbers_;
  std::map<std::uint16_t, channel> channels_;
  std::uint16_t last_number_ = 0;
  std::map<uuid, exec_call> execs_;
  std::map<std::uint32_t, dial_call> dials_;
  std::uint32_t last_dial_ = 0;
  std::optional<host_error> why_over_;
  std::set<uuid> interrupted_;  // execs under way when the link was over
};

}  // namespace berth::agent
