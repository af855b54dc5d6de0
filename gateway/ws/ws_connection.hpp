// One client's WebSocket connection: hello, then frames to channels and requests, and everything
// that goes out through one scheduler, one message at a time. Everything runs on the transport's
// strand, close_soon excepted (any thread).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/json/object.hpp>

#include "gateway/upgrade_context.hpp"
#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/frame_scheduler.hpp"
#include "gateway/ws/ws_greeting.hpp"
#include "gateway/ws/ws_requests.hpp"
#include "gateway/ws/ws_transport.hpp"
#include "gateway/ws/zstd_stream.hpp"

namespace berth::gateway {

class ws_connection : public ws_transport_user,
                      public channel_host,
                      public live_connection,
                      public std::enable_shared_from_this<ws_connection> {
 public:
  ws_connection(upgrade_context context, std::shared_ptr<ws_hub> hub, std::optional<identity> shown,
                bool json, std::shared_ptr<ws_transport> transport);
  ~ws_connection() override;
  // `entry` is this connection's place in the table of connections.
  void begin(std::shared_ptr<void> entry);
  void close_soon() override;

  void received(std::string_view message, bool text) override;
  void written() override;
  void ended() override;

  const services& given() const override { return context_.given; }
  const ws_caller& caller() const override { return caller_; }
  ws_hub& hub() override { return *hub_; }
  ws_strand strand() const override { return {executor_, context_.keep}; }
  void send(std::uint32_t channel, wire::payload what, bool interactive) override;
  void send_now(std::uint32_t channel, wire::payload what) override;
  void send_answer(std::uint32_t request, wire::frame what) override;
  void end_channel(std::uint32_t channel, wire::closed why) override;
  std::size_t queued_bytes(std::uint32_t channel) const override {
    return queue_.bytes_of(channel);
  }
  std::size_t queued_bytes() const override { return queue_.bytes(); }
  bool answers_wait() const override { return queue_.control_bytes() > 0; }
  void wake_when_drained(std::uint32_t channel) override { drain_asked_.push_back(channel); }
  std::size_t open_channels() const override { return channels_.size(); }

 private:
  // hello awaited -> greeting under way -> open for frames -> saying goodbye -> over
  enum class stage : std::uint8_t { silent, greeting, open, closing, over };
  using parsed = boost::system::result<wire::frame, wire::frame_problem>;

  void work_on_message();
  bool may_read() const;
  parsed parse_next();
  void handle(wire::frame what);
  void handle_open(wire::frame what);
  void greet(wire::hello said);
  void greeted(const outcome<ws_greeting::greeted>& result);
  void open_channel(std::uint32_t channel, const wire::open& asked);
  template <class Channel>
  void start_channel(std::uint32_t channel, const wire::open& asked);
  void to_channel(std::uint32_t channel, wire::payload what);

  void flush_soon();
  void flush();
  void write_frames(const std::vector<wire::frame>& frames);
  void write_text(const wire::frame& what);
  void compress(wire::encoded_frame& out);
  void wake_drained();
  // Ends all channels and closes once what is queued was written.
  void finish(ws_close_code code, std::string reason);
  void close_if_flushed();
  void limit_time(std::chrono::milliseconds at_most, void (ws_connection::*late)());
  void hello_late();
  void rest_compressor();
  void goodbye_late();

  upgrade_context context_;
  std::shared_ptr<ws_hub> hub_;
  std::optional<identity> shown_;
  const bool json_;
  std::shared_ptr<ws_transport> transport_;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<void> entry_;
  stage stage_{stage::silent};
  std::shared_ptr<void> timer_;  // hello, goodbye, and in between the compressor's rest

  std::shared_ptr<ws_greeting> greeting_;
  std::shared_ptr<ws_requests> requests_;
  ws_caller caller_;
  std::unordered_map<std::uint32_t, std::shared_ptr<ws_channel>> channels_;

  // The message being worked on: nothing more is read until all its frames were.
  std::vector<wire::raw_frame> raw_;
  std::vector<boost::json::object> objects_;
  std::size_t next_{};
  bool reading_{};
  bool working_{};

  wire::frame_scheduler queue_;
  std::vector<std::uint32_t> drain_asked_;
  bool flush_posted_{};
  bool writing_{};
  std::unique_ptr<wire::zstd_writer> zstd_;
  bool compressed_lately_{};
  bool compressor_watched_{};
  std::vector<wire::frame> texts_;  // JSON: frames taken from the queue, one message each
  std::size_t next_text_{};
  std::string text_;
  std::vector<wire::encoded_frame> encoded_;  // of the message being written
  std::vector<wire::header_buffer> headers_;
  std::vector<boost::asio::const_buffer> buffers_;

  ws_close_code close_code_{};
  std::string close_reason_;
};

}  // namespace berth::gateway
