// What berth-agent's program would start and dial, without doing it: quiet_processes.cpp is linked
// in place of spawn.cpp and dialer.cpp. A command whose first word begins with "no" cannot be run;
// every other is a process that never exists, until the target says that it ended.
#pragma once

#include <sys/types.h>

#include <vector>

namespace berth::fuzz {

struct quiet_start {
  pid_t pid{};  // above every pid that can exist, so that no signal reaches anybody
  bool is_terminal{};
};
std::vector<quiet_start>& quiet_starts();

}  // namespace berth::fuzz
