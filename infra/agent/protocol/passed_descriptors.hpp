// Descriptors of a unix socket message, as SCM_RIGHTS carries them (unix(7)).
#pragma once

#include <sys/socket.h>

#include <cstring>
#include <span>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

// Room for so many; lives as long as the message that carries them.
template <std::size_t Max>
struct descriptor_room {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * Max)]{};
};

// To be sent with `message`; they stay the caller's.
template <std::size_t Max>
void pass_descriptors(msghdr& message, descriptor_room<Max>& room, std::span<const int> fds) {
  message.msg_control = room.bytes;
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  auto* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
}

template <std::size_t Max>
void expect_descriptors(msghdr& message, descriptor_room<Max>& room) {
  message.msg_control = room.bytes;
  message.msg_controllen = sizeof room.bytes;
}

// Hands over each one that came with `message`.
template <class Taker>
void take_descriptors(msghdr& message, Taker&& take) {
  for (auto* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd{};
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      take(unique_fd{fd});
    }
  }
}

}  // namespace berth::agent
