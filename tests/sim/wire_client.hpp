// One simulated client: a device with a session, a socket at a time, what it looks at, what it
// asked. After a cut or a crash it comes back with its session and its cursors, and sends again
// what was not answered.
#pragma once

#include <map>
#include <set>

#include "gateway/ws/zstd_stream.hpp"
#include "tests/sim/wire_gateway.hpp"
#include "tests/sim/wire_terminal_view.hpp"

namespace berth::sim {

inline constexpr std::chrono::milliseconds wire_retry_after{
    200};  // of a channel, a request, refused input

// How a client is, for the whole of a universe.
struct wire_habits {
  bool json{};
  bool zstd{};
  link_weather weather;
};

class wire_client {
 public:
  using answered = std::function<void(const wire::response&)>;

  wire_client(wire_world& world, std::size_t account, wire_habits habits)
      : world_{world}, account_{account}, habits_{habits} {}

  // What its user does. Each may be done at any time.
  void look_at(std::unique_ptr<wire_view> what);
  void stop_looking();  // at something, chosen at random
  bool type();          // false: it drives no terminal
  void ask(std::string method, std::string path, std::string body, answered then = {});
  // A list no older than a position.
  void ask_after(std::string path, std::string position, answered then);
  void ask_again();  // something that was answered: the same answer must come
  void log_out();
  void ping();
  // What happens to it.
  void cut(bool silently);
  void hang_up();
  void stall(bool on) { stalled_ = on; }
  bool is_stalled() const { return stalled_; }
  void server_died();

  // One thing: connects, hears a message, notices that the connection is over.
  bool step(wire_gateway* gateway);
  std::optional<timestamp> next() const;

  std::size_t account() const { return account_; }
  std::size_t views() const { return channels_.size(); }
  bool looks_at_feed() const;
  wire_terminal* looks_at_terminal() const;  // one of them, if any
  bool drives(const wire_terminal& terminal) const;
  std::shared_ptr<wire_typist> typist_for(const wire_terminal& terminal);
  std::optional<std::string> missing();

 private:
  enum class place : std::uint8_t { none, asked, open, closing };
  struct channel {
    std::unique_ptr<wire_view> view;
    place at{};
    timestamp open_after;
  };
  struct request {
    std::string method, path, body, key;
    answered then;
    std::string after;  // Berth-After
    timestamp send_after;
    bool sent{};
    std::optional<wire::response> partial;  // its body follows
  };

  void connect(wire_gateway& gateway);
  void greet();
  void lost();
  void forget_session();
  bool may_be_over(const std::string& session) const;
  void receive(const wire_link::message& message);
  void hear(const wire::frame& heard);
  void hear_control(const wire::payload& what);
  void hear_channel(std::uint32_t number, const wire::payload& what);
  void welcomed(const wire::welcome& what);
  void take(const wire::response& what);
  void take(std::uint32_t id, const wire::body& part);
  void finished(std::uint32_t id, const wire::response& what);
  void open(std::uint32_t number, std::vector<wire::frame>& out);
  void send(std::uint32_t id, request& what, std::vector<wire::frame>& out);
  void say(const std::vector<wire::frame>& frames);
  bool work_that_waited();
  void fail(const std::string& what) { world_.fail("client: " + what); }

  wire_world& world_;
  const std::size_t account_;
  const wire_habits habits_;
  std::shared_ptr<wire_link> link_;
  bool welcome_{};
  bool stalled_{};
  bool session_is_over_{};  // and the server must say so
  timestamp connect_after_;
  std::string session_, input_stream_;
  std::set<std::string> over_sessions_;
  wire::zstd_reader zstd_;
  std::map<std::uint32_t, channel> channels_;
  std::map<std::string, std::shared_ptr<wire_typist>> typists_;  // by terminal, of this session
  std::map<std::uint32_t, request> requests_;
  std::vector<request> answered_;  // a few, to be asked again
  std::uint32_t next_channel_{}, next_request_{};
  std::uint64_t pings_{}, pongs_{};
};

}  // namespace berth::sim
