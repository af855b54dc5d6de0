#include "infra/agent/program/gateway_door.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace berth::agent {
namespace {

constexpr int backlog = 64;

unique_fd listen_loopback(std::uint16_t port) {
  unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), backlog) != 0)
    return {};
  return fd;
}

}  // namespace

unique_fd listen_unix(const std::string& path, mode_t mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), backlog) != 0)
    return {};
  return fd;
}

gateway_door::gateway_door(event_loop& loop, std::function<void(unique_fd)> accepted)
    : loop_{loop}, accepted_{std::move(accepted)} {}

gateway_door::~gateway_door() {
  open(false);
}

void gateway_door::listen(std::uint16_t port, const std::string& socket_path,
                          std::vector<std::string>& problems) {
  if (port != 0) {
    if (auto fd = listen_loopback(port))
      listeners_.push_back(std::move(fd));
    else
      problems.push_back("no gateway at 127.0.0.1:" + std::to_string(port) + ": " +
                         std::strerror(errno));
  }
  if (!socket_path.empty()) {
    ::mkdir(socket_path.substr(0, socket_path.rfind('/')).c_str(), 0755);
    if (auto fd = listen_unix(socket_path, 0666))
      listeners_.push_back(std::move(fd));
    else
      problems.push_back("no gateway at " + socket_path + ": " + std::strerror(errno));
  }
}

void gateway_door::open(bool anybody_listens) {
  for (const auto& listener : listeners_) {
    const int fd = listener.get();
    if (!anybody_listens) {
      loop_.remove(fd);
    } else if (!loop_.watches(fd)) {
      loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) {
        if (unique_fd accepted{::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)})
          accepted_(std::move(accepted));
      });
    }
  }
}

}  // namespace berth::agent
