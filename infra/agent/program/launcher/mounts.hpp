// Detached mounts made with the launcher's rights and handed to an environment: overlays whose
// lower layers are id-mapped to the environment's ids, so that the host's root owns /usr/bin/sudo
// as the environment's root.
#pragma once

#include <string>

#include "infra/agent/program/launcher/os.hpp"

namespace berth::launcher {

struct detached_mount {
  unique_fd fd;
  fault failed;
};

// The working directory must be a private place with the empty folder `lower`, in a private mount
// namespace.
detached_mount idmapped_overlay(const std::string& lower, const std::string& upper,
                                const std::string& work, int user_namespace);
detached_mount bind_of(const std::string& path);
// One byte and `count` descriptors (0..8) over a unix socket.
fault send_descriptors(int channel, const int* fds, int count);
bool receive_descriptors(int channel, int* fds, int count);

}  // namespace berth::launcher
