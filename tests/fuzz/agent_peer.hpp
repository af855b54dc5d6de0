// The other end of a socket under test: sends bytes, hears frames.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "infra/agent/protocol/frame.hpp"
#include "infra/agent/protocol/message.hpp"
#include "infra/agent/protocol/passed_descriptors.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace berth::fuzz {

class agent_peer {
 public:
  explicit agent_peer(agent::unique_fd fd) : fd_{std::move(fd)} {
    require(static_cast<bool>(fd_), "there is a connection");
  }

  void send(std::string_view bytes) {
    if (!bytes.empty()) (void)::send(fd_.get(), bytes.data(), bytes.size(), flags);
  }
  // With a descriptor of our own, as dialled connections travel.
  void send_with_descriptor(std::string_view bytes) {
    if (bytes.empty()) return;
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    agent::descriptor_room<1> room;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const int own = fd_.get();
    agent::pass_descriptors(message, room, {&own, 1});
    (void)::sendmsg(fd_.get(), &message, flags);
  }

  // Everything said so far. What the side under test says must follow the protocol.
  void listen() {
    char buffer[16 * 1024];
    for (ssize_t got; (got = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
      std::string_view bytes{buffer, static_cast<std::size_t>(got)};
      while (const auto next = decoder_.next(bytes)) {
        if (next->header.kind != agent::frame_kind::control) continue;
        const std::string payload = next->payload;
        require(agent::verified_packet(payload) != nullptr, "a control frame is a packet");
      }
      require(!decoder_.error(), "what is said are frames");
    }
  }

 private:
  static constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  agent::unique_fd fd_;
  agent::frame_decoder decoder_;
};

inline sockaddr_un socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  require(path.size() < sizeof address.sun_path, "the scratch folder's path is short");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

inline agent::unique_fd listen_at(const std::string& path) {
  agent::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto address = socket_address(path);
  require(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
              ::listen(fd.get(), 16) == 0,
          "a socket can listen");
  return fd;
}

inline agent::unique_fd connect_to(const std::string& path) {
  agent::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = socket_address(path);
  require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "a socket can connect");
  return fd;
}

}  // namespace berth::fuzz
