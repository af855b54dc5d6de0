#include "infra/agent/program/serve.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "infra/agent/program/agent_server.hpp"
#include "infra/agent/program/workload_init.hpp"

namespace berth::agent {
namespace {

constexpr std::chrono::milliseconds shutdown_grace{3'000};
enum exit_code { asked = 0, cannot_start = 1, usage = 2, workload_init_died = 3 };

int give_up(const options& options, const std::string& why) {
  std::fprintf(stderr, "berth-agent: %s\n", why.c_str());
  if (options.ready_fd >= 0) ::dprintf(options.ready_fd, "%s\n", why.c_str());
  return cannot_start;
}

// 0, 1 and 2 must be taken, so that no descriptor of ours lands there; of the others only the named
// are kept.
void keep_descriptors(const options& options) {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0 || fd > 2) {
      if (fd > 2) ::close(fd);
      break;
    }
  }
  std::vector<int> kept = options.cgroup_fds;
  kept.insert(kept.end(), {options.listen_fd, options.state_fd, options.stat_cpu_fd,
                           options.stat_memory_fd, options.stat_pids_fd, options.ready_fd});
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;
  for (const int fd : kept) {
    if (fd < static_cast<int>(next)) continue;
    if (fd > static_cast<int>(next)) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    next = static_cast<unsigned>(fd) + 1;
  }
  ::close_range(next, ~0u, 0);
}

unique_fd take_signals() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&wanted, number);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return unique_fd{::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK)};
}

// Every zombie at once: signals of one kind merge while they wait.
void reap(agent_server& server, pid_t workload_init) {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == workload_init) {
      std::fprintf(stderr, "berth-agent: the workloads' pid 1 died\n");
      ::_exit(workload_init_died);
    }
    server.reaped(pid, status);
  }
}

}  // namespace

int serve_main(int argc, char** argv) {
  std::string problem;
  auto options = parse_options(argc, argv, problem);
  if (!options) {
    std::fprintf(stderr, "berth-agent: %s\n", problem.c_str());
    return usage;
  }
  keep_descriptors(*options);
  ::umask(022);
  const auto signals = take_signals();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_DUMPABLE, 0);
  pid_t workload_init = -1;
  if (options->workload_ns) {
    workload_init = enter_workload_namespace(argc, argv, problem);
    if (workload_init < 0) return give_up(*options, problem);
  }
  spawner spawner{*options};
  if (!spawner.prepare(problem)) return give_up(*options, problem);
  unique_fd listener{options->listen_fd};
  if (!listener) listener = listen_unix(options->listen_path, 0600);
  unique_fd state{options->state_fd};
  if (!state) state.reset(::open(options->state_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!listener || !state)
    return give_up(*options, std::string{"socket or state directory: "} + std::strerror(errno));
  ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);

  event_loop loop;
  agent_server server{loop, *options, spawner, std::move(listener), std::move(state)};
  loop.add(signals.get(), EPOLLIN, [&](std::uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) server.shut_down(shutdown_grace);
    }
    reap(server, workload_init);
  });
  if (options->ready_fd >= 0) {
    [[maybe_unused]] const auto wrote = ::write(options->ready_fd, "R", 1);
    ::close(options->ready_fd);
  }
  loop.run();
  // Ring files stay for the host, so no destructor runs.
  ::_exit(asked);
}

}  // namespace berth::agent
