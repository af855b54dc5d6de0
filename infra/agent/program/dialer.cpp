#include "infra/agent/program/dialer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace berth::agent {
namespace {

constexpr std::chrono::milliseconds connect_timeout{5'000};

unique_fd begin_connect(std::uint16_t port, bool version_6, int& error) {
  unique_fd fd{
      ::socket(version_6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  const auto* address =
      version_6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  const auto length = static_cast<socklen_t>(version_6 ? sizeof v6 : sizeof v4);
  error = fd && (::connect(fd.get(), address, length) == 0) ? 0 : errno;
  return fd;
}

}  // namespace

void dialer::dial(std::uint16_t port, answer done) {
  if (port == 0) return done({}, "port 0 cannot be dialled");
  if (attempts_.size() >= dials_max) return done({}, "too many connections are being made");
  connect({port, false, std::move(done), 0});
}

void dialer::connect(attempt what) {
  int error = 0;
  auto fd = begin_connect(what.port, what.second, error);
  if (error == 0) return what.done(std::move(fd), {});
  if (error != EINPROGRESS || !fd) return failed(std::move(what), error);
  const int number = fd.release();
  const auto take = [this, number] {
    auto found = attempts_.extract(number);
    loop_.cancel(found.mapped().timer);
    loop_.remove(number);
    return std::move(found.mapped());
  };
  what.timer = loop_.after(connect_timeout, [this, number, take] {
    auto late = take();
    const unique_fd closed{number};
    failed(std::move(late), ETIMEDOUT);
  });
  attempts_.emplace(number, std::move(what));
  loop_.add(number, EPOLLOUT, [this, number, take](std::uint32_t) {
    auto ready = take();
    unique_fd connected{number};
    int result = 0;
    socklen_t length = sizeof result;
    ::getsockopt(number, SOL_SOCKET, SO_ERROR, &result, &length);
    if (result == 0) return ready.done(std::move(connected), {});
    connected.reset();
    failed(std::move(ready), result);
  });
}

void dialer::failed(attempt what, int error) {
  if (!what.second && error != ETIMEDOUT) {
    what.second = true;
    return connect(std::move(what));
  }
  what.done({}, "cannot connect to port " + std::to_string(what.port) +
                    " inside: " + std::strerror(error));
}

}  // namespace berth::agent
