// A simulated TCP connection that carries one WebSocket: messages arrive in order, late, or not at
// all. The server's end is the transport of a real connection; the client's end is pulled.
//
//   client  say ──▶ up   (each message has its time of arrival) ──▶ received   server
//           hear ◀── down (bounded: a full one holds back `written`) ◀── write
//
// cut() loses a random end of what is under way in both directions, so that either side may have
// seen more than the other knows. Silent: nobody is told until he has waited in vain.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gateway/ws/ws_transport.hpp"
#include "tests/support/simulated_server.hpp"

namespace berth::sim {

struct link_weather {
  std::chrono::milliseconds latency_max{};   // of a message, drawn for each
  std::size_t buffer_bytes_max{128 * 1024};  // on the way to the client
};

class wire_link final : public gateway::ws_transport,
                        public std::enable_shared_from_this<wire_link> {
 public:
  struct message {
    std::string bytes;
    bool text{};
    timestamp arrives;
  };
  wire_link(testing::simulated_server& server, boost::asio::any_io_executor executor,
            link_weather weather)
      : server_{server}, executor_{std::move(executor)}, weather_{weather} {}

  // The server's end.
  boost::asio::any_io_executor executor() override { return executor_; }
  void begin(std::shared_ptr<gateway::ws_transport_user> user) override { user_ = std::move(user); }
  void read() override { reading_ = true; }
  void write(std::span<const boost::asio::const_buffer> buffers, bool text) override;
  void close(gateway::ws_close_code code, std::string_view reason) override;
  void abort() override;

  // The client's end.
  void say(std::string bytes, bool text);
  std::optional<message> hear();  // the next that has arrived
  bool over() const;              // nothing more will be heard
  std::optional<gateway::ws_close_code> close_code() const { return closed_with_; }
  void hang_up();

  // The network.
  void cut(bool silently);
  void kill();  // the server's process is gone; its end is told nothing
  bool step();  // does one thing that is due at the server's end
  std::optional<timestamp> next() const;
  bool server_is_done() const { return !user_ && !telling_; }
  const gateway::ws_transport_user* user() const { return user_.get(); }
  // Something the server must not do was done.
  const char* misuse() const { return misuse_; }

 private:
  timestamp arrival(const std::deque<message>& line);
  void lose_some(std::deque<message>& line);
  void tell(void (wire_link::*what)());
  void tell_received();
  void tell_written();
  void tell_ended();
  bool end_is_noticed() const;

  testing::simulated_server& server_;
  boost::asio::any_io_executor executor_;
  link_weather weather_;
  std::shared_ptr<gateway::ws_transport_user> user_;
  std::deque<message> up_, down_;
  std::size_t down_bytes_{};
  message current_;
  bool reading_{}, writing_{}, telling_{};
  std::optional<timestamp> server_learns_;  // that the connection is over
  std::optional<timestamp> client_learns_;
  std::optional<gateway::ws_close_code> closed_with_;
  bool closing_{};  // by the server: its handshake is under way
  const char* misuse_{};
};

}  // namespace berth::sim
