#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "infra/agent/program/launcher/environment.hpp"
#include "infra/agent/program/launcher/mounts.hpp"

namespace berth::launcher {

namespace {

// The folder DIR/run/envs/<id>: what the host and a later launcher find the environment by.
struct run_folder {
  unique_fd state;
  unique_fd listen;
  unique_fd log;
  fault failed;
};

run_folder make_run_folder(const machine& on, const start_request& request) {
  run_folder made;
  const auto path = on.run + "/envs/" + request.id;
  made.failed = make_dir(path, 0700);
  if (!made.failed) made.failed = make_dir(path + "/state", 0700);
  if (made.failed) return made;
  const unique_fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  made.state = unique_fd{::openat(folder.get(), "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  made.log = unique_fd{
      ::openat(folder.get(), "agent.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  made.listen = unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  // By descriptor: the path of a data directory may be longer than sun_path.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto place = "/proc/self/fd/" + std::to_string(folder.get()) + "/agent.sock";
  place.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlinkat(folder.get(), "agent.sock", 0);
  if (::bind(made.listen.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(made.listen.get(), 16) != 0) {
    made.failed = errno_fault("agent socket in " + path);
  }
  if (!made.state || !made.log) made.failed = errno_fault("files in " + path);
  // The agent is root of another id range: it may write its ring files and nothing else here.
  if (!request.reduced && ::fchown(made.state.get(), request.uid_base, request.uid_base) != 0) {
    made.failed = errno_fault("owner of " + path + "/state");
  }
  return made;
}

fault map_ids(int pid, const start_request& request) {
  const auto proc = "/proc/" + std::to_string(pid);
  if (request.reduced) {
    if (auto failed = write_file(proc + "/setgroups", "deny")) return failed;
    if (auto failed = write_file(proc + "/uid_map", "0 " + std::to_string(::geteuid()) + " 1"))
      return failed;
    return write_file(proc + "/gid_map", "0 " + std::to_string(::getegid()) + " 1");
  }
  const auto map =
      "0 " + std::to_string(request.uid_base) + " " + std::to_string(ids_per_environment);
  if (auto failed = write_file(proc + "/uid_map", map)) return failed;
  return write_file(proc + "/gid_map", map);
}

fault hand_over_mounts(int channel, int pid, const start_request& request) {
  if (request.reduced) return send_descriptors(channel, nullptr, 0);
  const unique_fd users{
      ::open(("/proc/" + std::to_string(pid) + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC)};
  if (!users) return errno_fault("user namespace");
  // By descriptor, because the environment reads these paths in its /proc/mounts.
  const unique_fd folder{::open(request.disk.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder) return errno_fault("open " + request.disk);
  const auto disk = "/proc/self/fd/" + std::to_string(folder.get());
  const auto root =
      idmapped_overlay(request.template_root, disk + "/upper", disk + "/work", users.get());
  if (root.failed) return root.failed;
  const auto usr = idmapped_overlay("/usr", disk + "/usr", disk + "/usr_work", users.get());
  if (usr.failed) return usr.failed;
  const auto home = bind_of(disk + "/home");
  if (home.failed) return home.failed;
  const auto workspace = bind_of(disk + "/workspace");
  if (workspace.failed) return workspace.failed;
  const int fds[mount_count] = {root.fd.get(), usr.fd.get(), home.fd.get(), workspace.fd.get()};
  return send_descriptors(channel, fds, mount_count);
}

// 'R', or the line of text that says why not.
fault await_ready(int ready, int pidfd) {
  std::string said;
  const auto deadline = monotonic_ms() + ready_timeout_ms;
  while (said.size() < 1024) {
    pollfd waits[2] = {{ready, POLLIN, 0}, {pidfd, POLLIN, 0}};
    const auto left = deadline - monotonic_ms();
    if (left <= 0)
      return {"berth-agent did not answer within " + std::to_string(ready_timeout_ms) + " ms"};
    if (::poll(waits, 2, static_cast<int>(left)) < 0) continue;
    char block[512];
    const auto got = ::read(ready, block, sizeof block);
    if (got <= 0) break;
    said.append(block, static_cast<std::size_t>(got));
    if (said[0] == 'R') return no_fault();
    if (said.back() == '\n') break;
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return {said.empty() ? "berth-agent ended before it was ready; see agent.log" : said};
}

std::string life_text(const start_request& request, const started& life, const char* phase) {
  message m;
  m.add("phase", phase).add("incarnation", request.incarnation).add("boot_id", boot_id());
  m.add("pid", static_cast<std::uint64_t>(life.pid)).add("start_time", life.start_time);
  for (const auto& problem : life.problems) m.add("problem", problem);
  return m.encode();
}

// The kernel counts inotify instances, namespaces and the like of a user namespace against the user
// that made it too: with root as the maker one environment could use up what all others and the
// host's own root may have. So each is made by the effective user that is root in it.
bool become(std::uint32_t uid) {
  if (::seteuid(uid) != 0) return false;
  ::prctl(PR_SET_DUMPABLE, 1);  // a change of user clears it; the child's /proc must stay ours
  return true;
}

pid_t clone_child(const start_request& request, int* pidfd) {
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
               CLONE_NEWNET | CLONE_PIDFD;
  if (!request.reduced) args.flags |= CLONE_NEWCGROUP;
  args.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  args.exit_signal = SIGCHLD;
  const bool changed = !request.reduced && become(request.uid_base);
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  const int error = errno;
  // The child has no ids yet; it takes its own once they are mapped.
  if (pid != 0 && changed && !become(0)) ::abort();
  errno = error;
  return pid;
}

}  // namespace

start_outcome start_environment(machine& on, const start_request& request) {
  start_outcome out;
  const auto fail = [&](fault why) {
    if (out.life.pid > 0) {
      kill_environment(on, request.id, out.life.pidfd.get());
      ::waitpid(out.life.pid, nullptr, 0);
    }
    on.cgroups.remove(request.id);
    out.failed = std::move(why);
    return std::move(out);
  };
  auto folder = make_run_folder(on, request);
  if (folder.failed) return fail(folder.failed);
  const unique_fd agent{::open(request.agent.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!agent) return fail(errno_fault("open " + request.agent));
  auto group = on.cgroups.create(request.id, request.limits);
  out.life.problems = group.problems;

  int channel[2];
  int ready[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
    return fail(errno_fault("socketpair"));
  unique_fd ours{channel[0]};
  unique_fd theirs{channel[1]};
  if (::pipe2(ready, O_CLOEXEC) != 0) return fail(errno_fault("pipe"));
  unique_fd ready_read{ready[0]};
  unique_fd ready_write{ready[1]};

  child_plan plan{&request,
                  theirs.get(),
                  ready_write.get(),
                  agent.get(),
                  folder.listen.get(),
                  folder.state.get(),
                  folder.log.get(),
                  request.network && on.net.works(),
                  {},
                  {},
                  &group};
  if (plan.network) {
    plan.address = on.net.address(request.index);
    plan.gateway = on.net.gateway();
  }
  int pidfd = -1;
  const pid_t pid = clone_child(request, &pidfd);
  if (pid < 0)
    return fail(errno_fault("clone3 with user, pid, mount, ipc, uts and net namespaces"));
  if (pid == 0) {
    ours.reset();
    ready_read.reset();
    run_inside(plan);
  }
  out.life.pid = pid;
  out.life.pidfd = unique_fd{pidfd};
  out.life.start_time = start_time_of(pid);
  theirs.reset();
  ready_write.reset();
  const auto life_file = on.run + "/envs/" + request.id + "/life";
  if (auto failed = replace_file(life_file, life_text(request, out.life, "starting")))
    return fail(failed);
  if (auto failed = map_ids(pid, request)) return fail(failed);
  if (plan.network) {
    if (auto failed = on.net.attach(pid, request.index)) return fail(failed);
  }
  if (auto failed = hand_over_mounts(ours.get(), pid, request)) return fail(failed);
  ours.reset();
  if (auto failed = await_ready(ready_read.get(), pidfd)) return fail(failed);
  if (auto failed = replace_file(life_file, life_text(request, out.life, "running")))
    return fail(failed);
  return out;
}

void kill_environment(machine& on, const std::string& id, int pidfd) {
  on.cgroups.kill(id);
  signal_pidfd(pidfd, SIGKILL);
}

}  // namespace berth::launcher
