// The workloads' own pid namespace, in which no process of the agent can be named.
#pragma once

#include <sys/types.h>

#include <string>

namespace berth::agent {

// Every later fork of the caller lands in a new pid namespace whose pid 1, made here, mounts /proc
// and reaps orphans. Returns pid 1's pid as the caller sees it, or -1 and the reason. If it dies,
// so do all in it; forks fail from then on. argv is what main got: pid 1 blanks its copy, workloads
// can read its command line.
pid_t enter_workload_namespace(int argc, char** argv, std::string& problem);

}  // namespace berth::agent
