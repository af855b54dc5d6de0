#include "infra/agent/link/gateway_pump.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>

namespace berth::agent {
namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

class pump : public std::enable_shared_from_this<pump> {
 public:
  pump(event_loop& loop, unique_fd inside, unique_fd gateway, std::shared_ptr<void> place)
      : loop_{loop}, fds_{std::move(inside), std::move(gateway)}, place_{std::move(place)} {}

  void start() {
    for (int side = 0; side < 2; ++side) {
      loop_.add(fds_[side].get(), EPOLLIN, [self = shared_from_this(), side](std::uint32_t events) {
        self->on_events(side, events);
      });
    }
    watch();
  }

 private:
  // What was read from one side and goes to the other.
  struct direction {
    std::string bytes;
    bool ended = false;      // no more will be read
    bool forwarded = false;  // and the other side was told
  };

  void on_events(int side, std::uint32_t events) {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !read_from(side)) return stop();
    for (int from = 0; from < 2; ++from) {
      if (!write_from(from)) return stop();
    }
    if (ways_[0].forwarded && ways_[1].forwarded) return stop();
    watch();
  }

  bool read_from(int side) {
    auto& way = ways_[side];
    if (way.ended || way.bytes.size() >= buffer_bytes) return true;
    std::array<char, 16 * 1024> piece;
    const auto got = ::read(fds_[side].get(), piece.data(), piece.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) way.ended = true;
    way.bytes.append(piece.data(), static_cast<std::size_t>(got));
    return true;
  }

  bool write_from(int side) {
    auto& way = ways_[side];
    const int to = fds_[1 - side].get();
    while (!way.bytes.empty()) {
      const auto wrote = ::send(to, way.bytes.data(), way.bytes.size(), MSG_NOSIGNAL);
      if (wrote < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      way.bytes.erase(0, static_cast<std::size_t>(wrote));
    }
    if (way.ended && !way.forwarded) {
      way.forwarded = true;
      ::shutdown(to, SHUT_WR);
    }
    return true;
  }

  // A side with nothing to read and nothing to write leaves the loop: EPOLLHUP cannot be masked.
  void watch() {
    for (int side = 0; side < 2; ++side) {
      std::uint32_t events = 0;
      if (!ways_[side].ended && ways_[side].bytes.size() < buffer_bytes) events |= EPOLLIN;
      if (!ways_[1 - side].bytes.empty()) events |= EPOLLOUT;
      const int fd = fds_[side].get();
      if (events == 0) {
        loop_.remove(fd);
      } else if (loop_.watches(fd)) {
        loop_.change(fd, events);
      } else {
        loop_.add(fd, events, [self = shared_from_this(), side](std::uint32_t ready) {
          self->on_events(side, ready);
        });
      }
    }
  }

  void stop() {
    const auto self = shared_from_this();
    for (auto& fd : fds_) {
      if (fd) loop_.remove(fd.get());
      fd.reset();
    }
    place_.reset();
  }

  event_loop& loop_;
  std::array<unique_fd, 2> fds_;  // inside, gateway
  std::array<direction, 2> ways_;
  std::shared_ptr<void> place_;  // among the connections of its environment
};

}  // namespace

gateway_pumps::gateway_pumps(agent_reactor& reactor)
    : reactor_{reactor}, open_{std::make_shared<places>()} {}

std::shared_ptr<void> gateway_pumps::place_for(const environment_id& from) {
  const std::lock_guard lock{open_->mutex};
  auto& taken = open_->counts[from];
  if (taken >= connections_per_environment_max) return {};
  ++taken;
  return {open_.get(), [open = open_, from](void*) {
            const std::lock_guard again{open->mutex};
            if (--open->counts[from] == 0) open->counts.erase(from);
          }};
}

void gateway_pumps::join(const environment_id& from, int from_inside, std::uint16_t gateway_port) {
  auto inside = std::make_shared<unique_fd>(from_inside);
  auto place = place_for(from);
  if (!place) return;
  reactor_.post([&reactor = reactor_, inside, place, gateway_port] {
    ::fcntl(inside->get(), F_SETFL, ::fcntl(inside->get(), F_GETFL) | O_NONBLOCK);
    unique_fd gateway{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(gateway_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!gateway) return;
    if (::connect(gateway.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS)
      return;
    std::make_shared<pump>(reactor.loop(), std::move(*inside), std::move(gateway), place)->start();
  });
}

}  // namespace berth::agent
