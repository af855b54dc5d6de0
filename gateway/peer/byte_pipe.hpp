// Bytes both ways between a local socket and another node, with a window each way: a socket that
// nobody reads stops the other one's sender, and nothing queues without a bound. All on the
// executor it was made with (one thread).
//
//   frame: data | bytes        acknowledged | count        ended      (pack.hpp; the kind first)
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "actors/ports/environment_host.hpp"

namespace berth::gateway::peer {

class byte_pipe : public std::enable_shared_from_this<byte_pipe> {
 public:
  explicit byte_pipe(boost::asio::any_io_executor io) : socket_{io} {}
  ~byte_pipe() { close(); }
  // How frames reach the other side; `end` is told once, when both directions are over.
  void send_by(std::function<void(std::string_view)> send, std::function<void()> end) {
    send_ = std::move(send);
    end_ = std::move(end);
  }

  // The other end of a new pair of sockets, whose owner the caller becomes.
  host_result<int> open_pair();
  // This connected socket.
  void adopt(std::shared_ptr<const int> descriptor);

  void received(std::string_view frame);
  void close();

 private:
  enum class kind : std::uint8_t { data = 1, acknowledged, ended };
  static constexpr std::size_t window_bytes = 256 * 1024;

  void read();
  void write();
  void finish_if_over();

  // The protocol is only a label: the descriptor is connected already, TCP or not.
  boost::asio::local::stream_protocol::socket socket_;
  std::shared_ptr<const int> adopted_;  // closes it, if it was adopted
  std::function<void(std::string_view)> send_;
  std::function<void()> end_;
  std::array<char, 32 * 1024> buffer_;
  std::size_t unacknowledged_{};
  std::string queued_;
  std::string writing_;
  bool is_reading_{};
  bool has_read_all_{};     // the local socket's end was told
  bool has_heard_all_{};    // the other side's end was told
  bool has_written_all_{};  // and passed on
};

}  // namespace berth::gateway::peer
