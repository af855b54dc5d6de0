#include "infra/agent/program/workload_init.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {

namespace {

bool mount_proc() {
  return ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

[[noreturn]] void run_init(int argc, char** argv, int ready) {
  for (int i = 0; i < argc; ++i) std::memset(argv[i], 0, std::strlen(argv[i]));
  ::prctl(PR_SET_NAME, "workload-init");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char answer = mount_proc() ? 'R' : static_cast<char>(errno);
  [[maybe_unused]] const auto wrote = ::write(ready, &answer, 1);
  ::close_range(0, ~0u, 0);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::setsid();
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    int number = 0;
    ::sigwait(&child, &number);
  }
}

}  // namespace

pid_t enter_workload_namespace(int argc, char** argv, std::string& problem) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0 || ::unshare(CLONE_NEWPID) != 0) {
    problem = std::string{"no pid namespace for workloads: "} + std::strerror(errno);
    return -1;
  }
  const unique_fd reader{fds[0]};
  unique_fd writer{fds[1]};
  const pid_t child = ::fork();
  if (child == 0) run_init(argc, argv, writer.get());
  writer.reset();
  char answer = 0;
  if (child < 0 || ::read(reader.get(), &answer, 1) != 1 || answer != 'R') {
    problem = std::string{"the workloads' pid 1 cannot mount /proc: "} + std::strerror(answer);
    return -1;
  }
  return child;
}

}  // namespace berth::agent
