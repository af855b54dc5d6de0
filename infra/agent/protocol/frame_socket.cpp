#include "infra/agent/protocol/frame_socket.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "events/core/invariant.hpp"
#include "infra/agent/protocol/passed_descriptors.hpp"

namespace berth::agent {
namespace {
constexpr std::size_t read_bytes = 256 * 1024;
constexpr std::size_t descriptors_max = 16;  // that came and were not claimed yet
constexpr std::size_t gather_max = 16;
}  // namespace

frame_socket::frame_socket(unique_fd fd) : fd_{std::move(fd)} {}

frame_socket::status frame_socket::fail(const char* what) {
  if (status_ == status::open) {
    problem_ = std::string{what} + ": " + std::strerror(errno);
    status_ = status::closed;
  }
  return status_;
}

frame_socket::status frame_socket::receive(const sink& on_frame) {
  if (status_ != status::open) return status_;
  if (decoder_.error()) return status::bad_frame;
  static thread_local std::string scratch(read_bytes, '\0');
  iovec part{scratch.data(), scratch.size()};
  descriptor_room<4> room;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  expect_descriptors(message, room);
  const auto got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? status_ : fail("receive");
  take_descriptors(message, [this](unique_fd fd) {
    if (descriptors_.size() < descriptors_max) descriptors_.push_back(std::move(fd));
  });
  if (got == 0) {
    problem_ = "closed by the other side";
    return status_ = status::closed;
  }
  std::string_view bytes{scratch.data(), static_cast<std::size_t>(got)};
  while (auto next = decoder_.next(bytes)) on_frame(std::move(*next));
  if (decoder_.error()) {
    problem_ = decoder_.error()->text();
    return status::bad_frame;
  }
  return status_;
}

unique_fd frame_socket::take_descriptor() {
  if (descriptors_.empty()) return {};
  auto fd = std::move(descriptors_.front());
  descriptors_.pop_front();
  return fd;
}

void frame_socket::push(std::string bytes, unique_fd descriptor) {
  queued_bytes_ += bytes.size();
  queue_.push_back({std::move(bytes), 0, std::move(descriptor)});
}

void frame_socket::enqueue(frame_header header, std::string payload, unique_fd descriptor) {
  header.length = static_cast<std::uint32_t>(payload.size());
  if (descriptor) header.flags |= flag_descriptor;
  const auto raw = encode(header);
  std::string bytes{raw.data(), raw.size()};
  bytes += payload;
  push(std::move(bytes), std::move(descriptor));
}

void frame_socket::send_direct(frame_header header, std::string_view payload) {
  BERTH_ASSERT(queue_.empty());
  if (status_ != status::open) return;
  header.length = static_cast<std::uint32_t>(payload.size());
  auto raw = encode(header);
  std::array<iovec, 2> parts{
      {{raw.data(), raw.size()}, {const_cast<char*>(payload.data()), payload.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  auto sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      fail("send");
      return;
    }
    sent = 0;
  }
  const auto done = static_cast<std::size_t>(sent);
  if (done == raw.size() + payload.size()) return;
  std::string rest;
  if (done < raw.size()) rest.assign(raw.data() + done, raw.size() - done);
  rest += payload.substr(done > raw.size() ? done - raw.size() : 0);
  push(std::move(rest), {});
}

frame_socket::status frame_socket::flush() {
  while (status_ == status::open && !queue_.empty()) {
    // One descriptor a message: a message that carries one starts with its frame and ends before
    // the next such frame.
    std::array<iovec, gather_max> parts{};
    std::size_t count = 0;
    for (auto& next : queue_) {
      if (count == gather_max || (count > 0 && next.descriptor)) break;
      parts[count++] = {next.bytes.data() + next.sent, next.bytes.size() - next.sent};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    descriptor_room<1> room;
    auto& front = queue_.front();
    const int fd = front.descriptor.get();
    if (front.descriptor) pass_descriptors(message, room, {&fd, 1});
    const auto sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR ? status_ : fail("send");
    front.descriptor.reset();
    queued_bytes_ -= static_cast<std::size_t>(sent);
    for (auto left = static_cast<std::size_t>(sent); left > 0;) {
      auto& head = queue_.front();
      const auto piece = std::min(left, head.bytes.size() - head.sent);
      head.sent += piece;
      left -= piece;
      if (head.sent == head.bytes.size()) queue_.pop_front();
    }
  }
  return status_;
}

}  // namespace berth::agent
