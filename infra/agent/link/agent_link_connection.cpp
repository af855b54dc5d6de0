// The connection of agent_link: made, watched, broken, made again; and the end of a link.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "infra/agent/link/agent_link.hpp"

namespace berth::agent {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds retry_first{5};
constexpr milliseconds retry_most{1'000};
constexpr milliseconds welcome_timeout{5'000};
// An agent that welcomes and drops again and again is asked less and less often.
constexpr milliseconds quick_drop_below{1'000};
constexpr int quick_drops_free = 32;
constexpr milliseconds lost_without_pidfd_after{10'000};
constexpr const char* build_name = "berthd";

unique_fd connect_unix(const std::string& path, int& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    error = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  error = fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0
              ? 0
              : errno;
  return fd;
}

}  // namespace

void agent_link::start() {
  if (phase_ == phase::over) return;
  if (address_.pidfd) {
    reactor_.loop().add(address_.pidfd.get(), EPOLLIN,
                        [self = shared_from_this()](std::uint32_t) { self->on_pidfd(); });
  }
  connect();
}

void agent_link::connect() {
  connect_timer_ = 0;
  phase_ = phase::connecting;
  int error = 0;
  auto fd = connect_unix(address_.socket_path, error);
  if (error == ENAMETOOLONG)
    return finish(false, {host_errc::io, "socket path too long: " + address_.socket_path,
                          "use a shorter data directory"});
  if (error != 0) return retry(std::strerror(error));
  socket_.emplace(std::move(fd));
  socket_bad_ = false;
  reactor_.loop().add(socket_->fd(), EPOLLIN, [self = shared_from_this()](std::uint32_t events) {
    self->on_socket(events);
  });
  greet();
}

void agent_link::retry(const std::string& why) {
  if (phase_ == phase::over) return;
  const auto now = event_loop::clock::now();
  if (ready()) quick_drops_ = now - welcomed_at_ < quick_drop_below ? quick_drops_ + 1 : 0;
  drop_socket();
  phase_ = phase::connecting;
  if (connect_failures_ == 0) disconnected_at_ = now;
  if (!address_.pidfd && now - disconnected_at_ > lost_without_pidfd_after)
    return finish(true, {host_errc::not_running, "the agent does not answer: " + why,
                         "start the environment again"});
  const auto doublings = std::min(connect_failures_ + quick_drops_ / quick_drops_free, 8);
  const auto wait = std::min(retry_most, retry_first * (1 << doublings));
  ++connect_failures_;
  connect_timer_ = reactor_.loop().after(wait, [self = shared_from_this()] { self->connect(); });
}

void agent_link::greet() {
  phase_ = phase::greeting;
  wire::HelloT hello;
  hello.protocol_min = protocol_version_min;
  hello.protocol_max = protocol_version_max;
  hello.build = build_name;
  hello.environment = address_.environment.value;
  hello.owner_epoch = epoch_said_ = address_.owner_epoch;
  send(packed(std::move(hello)));
  connect_timer_ = reactor_.loop().after(welcome_timeout, [self = shared_from_this()] {
    self->connect_timer_ = 0;
    self->retry("no welcome within 5 s");
  });
  flush();
}

void agent_link::on_socket(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    in_receive_ = true;
    const auto status = socket_->receive([this](frame&& what) {
      if (phase_ != phase::over && !socket_bad_) on_frame(std::move(what));
    });
    in_receive_ = false;
    if (phase_ == phase::over) return drop_socket();
    if (status != frame_socket::status::open || socket_bad_) return retry(socket_->problem());
  }
  flush();
}

// The process is gone: what it sent before is in the socket, then comes end of file.
void agent_link::on_pidfd() {
  const auto self = shared_from_this();
  reactor_.loop().remove(address_.pidfd.get());
  if (phase_ == phase::over) return;
  in_receive_ = true;
  while (socket_ && !socket_bad_ && phase_ != phase::over) {
    const auto status = socket_->receive([this](frame&& what) {
      if (phase_ != phase::over && !socket_bad_) on_frame(std::move(what));
    });
    if (status != frame_socket::status::open) break;
  }
  in_receive_ = false;
  if (phase_ == phase::over) return drop_socket();
  finish(true,
         {host_errc::not_running, "the agent's process has exited", "start the environment again"});
}

void agent_link::ask_again() {
  for (auto& [number, channel] : channels_) ask_again(channel);
  for (auto& [effect, call] : execs_) send(call.packet);
  for (auto& [number, call] : dials_) {
    wire::DialT dial;
    dial.request = number;
    dial.port = call.port;
    send(packed(dial));
  }
  flush();
}

void agent_link::ask_again(channel& channel) {
  if (channel.opening) {
    send(packed(*channel.opening));
  } else {
    channel.missing = false;
    send_bind(channel);
  }
  if (channel.pace) send(channel, frame_kind::pace, *channel.pace);
  if (channel.durable > 0) send(channel, frame_kind::durable, channel.durable);
  if (channel.size) send(channel, frame_kind::resize, *channel.size);
  if (channel.next && !channel.ended_at) {
    channel.resync = true;
    send(channel, frame_kind::follow, *channel.next);
  }
  channel.window_bytes = 0;
  for (auto& input : channel.inputs) input.sent = false;
  send_inputs(channel);
  if (channel.close_asked && !channel.ended_at) send(channel, frame_kind::close, 0);
}

void agent_link::send(std::string packet) {
  if (socket_) socket_->enqueue({.kind = frame_kind::control}, std::move(packet));
}

void agent_link::send(const channel& to, frame_kind kind, std::uint64_t offset,
                      std::string payload) {
  if (socket_)
    socket_->enqueue({.kind = kind, .channel = to.number, .offset = offset}, std::move(payload));
}

void agent_link::flush() {
  if (!socket_ || in_receive_) return;
  if (socket_->flush() != frame_socket::status::open) return retry(socket_->problem());
  reactor_.loop().change(socket_->fd(), EPOLLIN | (socket_->idle() ? 0u : EPOLLOUT));
}

void agent_link::drop_socket() {
  if (connect_timer_) reactor_.loop().cancel(std::exchange(connect_timer_, 0));
  if (!socket_ || in_receive_) {
    socket_bad_ = true;
    return;
  }
  reactor_.loop().remove(socket_->fd());
  socket_.reset();
}

void agent_link::break_connection() {
  reactor_.run([this] {
    if (socket_ && phase_ != phase::over) retry("broken on purpose");
  });
}

void agent_link::finish(bool lost, host_error why) {
  const auto self = shared_from_this();
  phase_ = phase::over;
  why_over_ = why;
  drop_socket();
  if (address_.pidfd) reactor_.loop().remove(address_.pidfd.get());
  auto channels = std::exchange(channels_, {});
  auto execs = std::exchange(execs_, {});
  auto dials = std::exchange(dials_, {});
  numbers_.clear();
  for (auto& [number, channel] : channels) {
    if (channel.opening_timer) reactor_.loop().cancel(channel.opening_timer);
  }
  for (auto& [effect, call] : execs) {
    reactor_.loop().cancel(call.timer);
    if (lost) interrupted_.insert(effect);
  }
  for (auto& [number, call] : dials) reactor_.loop().cancel(call.timer);
  if (!observer_) return;  // detached: nobody waits
  for (auto& [number, channel] : channels) {
    for (auto& done : channel.opened) done(over_error());
    for (auto& input : channel.inputs) input.done(over_error());
  }
  for (auto& [effect, call] : execs) {
    for (auto& done : call.done) done(lost ? unknown_outcome() : over_error());
  }
  for (auto& [number, call] : dials) call.done(over_error());
  if (observer_) observer_->agent_over(address_.environment, address_.life, lost, why);
}

}  // namespace berth::agent
