// What workloads may not ask of the kernel, whoever they are inside: Docker's default capabilities
// and a deny list of system calls that reach outside the environment or into the kernel itself.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace berth::agent {

// Built once at start; installing it in a child is then one system call.
std::optional<std::vector<sock_filter>> build_workload_filter();
// In the child, single-threaded, while it still has CAP_SYS_ADMIN in its user namespace. errno on
// failure.
bool install_filter(std::vector<sock_filter>& filter);
// Leaves Docker's default set in the bounding set, nothing inheritable or ambient. errno on
// failure.
bool drop_capabilities();

}  // namespace berth::agent
