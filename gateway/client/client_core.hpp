// The client's state and its one thread's work: dialling, hello, resuming, frames in and out.
// Internal; everything but the marked calls runs on the io_context's only thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "gateway/client/client.hpp"
#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/ws_transport.hpp"
#include "gateway/ws/zstd_stream.hpp"

namespace berth::client {

// A channel of the client: what to say when a connection begins, and what came for it.
class client_channel {
 public:
  virtual ~client_channel() = default;
  // Frames that (re)open it, and whatever was not acknowledged.
  virtual std::vector<wire::payload> resume(bool new_input_stream) = 0;
  // True: the channel is over.
  virtual bool received(wire::payload what) = 0;
  virtual void abandoned(const client_error& why) = 0;
  virtual bool tick() { return false; }  // after client_core::tick_soon; true: again
};
inline constexpr std::chrono::milliseconds tick_every{50};
inline constexpr std::chrono::milliseconds goodbye_max{1'000};
inline constexpr std::chrono::milliseconds typing_remembered{1'000};
// Of a terminal that gives way: 16 MB/s, or a window a round trip if that takes longer.
inline constexpr std::uint64_t giving_way_window_bytes{64 * 1024};
inline constexpr std::chrono::milliseconds giving_way_credit_every{4};

class client_core : public gateway::ws_transport_user,
                    public std::enable_shared_from_this<client_core> {
 public:
  client_core(boost::asio::io_context& io, client_options options, client::state_listener changed);

  // Any thread.
  boost::asio::io_context& io() { return io_; }
  std::string session() const;
  client_result<std::string> wait_ready(std::chrono::milliseconds at_most);

  void begin();
  void stop();
  std::uint32_t add(std::shared_ptr<client_channel> channel);
  void remove(std::uint32_t number);  // says close
  void send(std::uint32_t channel, wire::payload what);
  void tick_soon(std::chrono::milliseconds within = tick_every);  // all channels
  // Somebody types in one terminal: for a while the others of this connection give way, so that
  // neither their bytes nor the work they make stand before the echo.
  void typed_in(std::uint32_t channel) { typed_ = {channel, std::chrono::steady_clock::now()}; }
  bool gives_way(std::uint32_t channel) const {
    return channel != typed_.first &&
           std::chrono::steady_clock::now() - typed_.second < typing_remembered;
  }
  void request(wire::request asked, std::string body, client::answer_listener done);

  void received(std::string_view message, bool text) override;
  void written() override;
  void ended() override;

 private:
  struct asked_request {
    wire::request head;
    std::string body;
    client::answer_listener done;
    http_answer answer;
    std::size_t answer_size{};
  };
  void dial();
  void connected(std::shared_ptr<gateway::ws_transport> transport);
  void handle(wire::frame what);
  void welcomed(const wire::welcome& said);
  void resume_channels(bool new_input_stream);
  void send_request(const asked_request& asked);
  void answered(const wire::response& head);
  void answer_part(std::uint32_t id, const wire::body& part);
  void complete(std::uint32_t id);
  void flush();
  void lost(const std::string& why);
  void retry_later();
  void give_up(client_error why);
  void tell(connection_state now, const std::string& why);

  const client_options options_;
  const client::state_listener changed_;
  boost::asio::io_context& io_;
  boost::asio::steady_timer retry_timer_{io_};  // and, once stopped, the goodbye's
  boost::asio::steady_timer tick_timer_{io_};
  std::shared_ptr<void> dialling_;
  std::shared_ptr<gateway::ws_transport> transport_;
  bool resumed_{};  // channels and requests were said again on this connection
  bool welcomed_{};
  bool writing_{};
  std::optional<std::chrono::steady_clock::time_point> tick_at_;
  bool stopped_{};
  std::size_t attempts_{};
  std::uint32_t retry_after_ms_{};
  std::optional<client_error> refusal_;  // what the server said before it closed
  std::string outbox_;
  std::deque<std::string> queue_;
  std::vector<boost::asio::const_buffer> writing_buffers_;
  std::unique_ptr<wire::zstd_reader> zstd_;
  std::pair<std::uint32_t, std::chrono::steady_clock::time_point> typed_{};  // channel, when
  std::mt19937 random_{std::random_device{}()};

  std::uint32_t next_channel_{1};
  std::uint32_t next_request_{1};
  std::unordered_map<std::uint32_t, std::shared_ptr<client_channel>> channels_;
  std::unordered_map<std::uint32_t, asked_request> requests_;
  std::string input_stream_;

  mutable std::mutex mutex_;  // of what other threads read
  std::condition_variable changed_state_;
  std::string session_;
  connection_state state_{connection_state::connecting};
  std::optional<client_error> over_;
};

}  // namespace berth::client
