// A connected unix stream socket that carries frames and file descriptors. Non-blocking; one
// thread.
#pragma once

#include <sys/socket.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

class frame_socket {
 public:
  enum class status : std::uint8_t { open, closed, bad_frame };
  using sink = std::function<void(frame&&)>;

  explicit frame_socket(unique_fd fd);

  int fd() const { return fd_.get(); }
  // Reads what is there, at most one buffer, and hands over whole frames in order. The sink may
  // enqueue. After a bad frame nothing more is received; what is queued can still be sent.
  status receive(const sink& on_frame);
  // A descriptor that came with a `flag_descriptor` frame, in order.
  unique_fd take_descriptor();

  // Queues behind what is queued. The descriptor travels with the frame's first byte.
  void enqueue(frame_header header, std::string payload = {}, unique_fd descriptor = {});
  // Writes header and payload at once, past no queue: only when idle(). What the socket did not
  // take is copied and queued.
  void send_direct(frame_header header, std::string_view payload);
  // Writes the queue until it is empty or the socket is full.
  status flush();
  bool idle() const { return queue_.empty(); }
  std::size_t queued_bytes() const { return queued_bytes_; }
  const std::string& problem() const { return problem_; }

 private:
  struct outgoing {
    std::string bytes;
    std::size_t sent{};
    unique_fd descriptor;
  };
  void push(std::string bytes, unique_fd descriptor);
  status fail(const char* what);

  unique_fd fd_;
  frame_decoder decoder_;
  std::deque<outgoing> queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<unique_fd> descriptors_;
  status status_ = status::open;  // a bad frame ends only what is received
  std::string problem_;
};

}  // namespace berth::agent
