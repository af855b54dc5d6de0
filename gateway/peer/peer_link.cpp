#include "gateway/peer/peer_link.hpp"

#include <boost/asio/post.hpp>

#include "gateway/peer/pack.hpp"

namespace berth::gateway::peer {
namespace {

namespace net = boost::asio;

constexpr std::size_t size_bytes = sizeof(std::uint32_t);
constexpr std::size_t head_bytes = 1 + sizeof(std::uint64_t);
constexpr std::chrono::milliseconds greet_max{3'000};  // from the connection to the greeting

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

}  // namespace

void peer_link::start(std::shared_ptr<user> of) {
  user_ = std::move(of);
  heard();
  stream_->expires_after(greet_max);
  stream_->shake_hands([self = shared_from_this()](boost::system::error_code failed) {
    if (failed) return self->end("TLS: " + failed.message());
    self->is_ready_ = true;
    self->flush();
    self->read();
  });
}

void peer_link::send(frame_kind kind, std::uint64_t id, std::string_view body) {
  bool is_first = false;
  bool is_full = false;
  {
    const std::lock_guard lock{mutex_};
    if (over_) return;
    is_first = queued_.empty();
    is_full = queued_.size() + body.size() > queued_bytes_max;
    if (!is_full) {
      packer head;
      head.put(static_cast<std::uint32_t>(head_bytes + body.size()), kind, id);
      queued_ += head.take();
      queued_ += body;
    }
  }
  if (is_full)
    return close("it does not read: " + std::to_string(queued_bytes_max) + " bytes wait");
  if (is_first) net::post(stream_->executor(), [self = shared_from_this()] { self->flush(); });
}

void peer_link::flush() {
  if (is_writing_ || !is_ready_) return;
  {
    const std::lock_guard lock{mutex_};
    if (over_ || queued_.empty()) return;
    writing_.swap(queued_);
  }
  is_writing_ = true;
  stream_->write({net::buffer(writing_), net::const_buffer{}},
                 [self = shared_from_this()](boost::system::error_code failed) {
                   self->is_writing_ = false;
                   self->writing_.clear();
                   if (failed) return self->end(failed.message());
                   self->flush();
                 });
}

void peer_link::read() {
  stream_->read_some(net::buffer(buffer_), [self = shared_from_this()](
                                               boost::system::error_code failed, std::size_t got) {
    if (failed) return self->end(failed.message());
    self->heard();
    self->in_.append(self->buffer_.data(), got);
    self->take_frames();
    if (self->user_) self->read();
  });
}

void peer_link::take_frames() {
  std::string_view left{in_};
  while (user_ && left.size() >= size_bytes) {
    std::uint32_t size = 0;
    unpacker{left.substr(0, size_bytes)}.take(size);
    if (size < head_bytes || size > frame_bytes_max)
      return end("a frame of " + std::to_string(size) + " bytes");
    if (left.size() < size_bytes + size) break;
    frame_kind kind{};
    std::uint64_t id = 0;
    unpacker frame{left.substr(size_bytes, size)};
    frame.take(kind, id);
    const auto user = user_;  // may close in here
    user->frame(kind, id, frame.rest());
    left.remove_prefix(size_bytes + size);
  }
  in_.erase(0, in_.size() - left.size());
}

void peer_link::close(const std::string& why) {
  net::post(stream_->executor(), [self = shared_from_this(), why] { self->end(why); });
}

void peer_link::end(const std::string& why) {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
    queued_.clear();
  }
  stream_->close();
  if (const auto user = std::exchange(user_, nullptr)) user->closed(why);
}

void peer_link::heard() {
  heard_ns_ = steady_ns();
}

std::chrono::milliseconds peer_link::silence() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::nanoseconds{steady_ns() - heard_ns_});
}

}  // namespace berth::gateway::peer
