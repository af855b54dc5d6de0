#include "infra/agent/program/launcher/launcher.hpp"

#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>

#include "infra/agent/protocol/passed_descriptors.hpp"

namespace berth::launcher {

namespace {
constexpr std::size_t clients_max = 16;
constexpr int group_removal_attempts_max = 500;
constexpr int group_removal_interval_ms = 10;
constexpr std::uint64_t grace_ms_max = 30'000;
constexpr std::int64_t idle_ms_max = 600'000;
}  // namespace

launcher::launcher(const launcher_options& options)
    : options_(options),
      machine_{options.run, cgroup_tree(options.cgroup_parent), network(options.network_tag)} {}

fault launcher::open() {
  lock_ = unique_fd{
      ::open((options_.run + "/launcher.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!lock_) return errno_fault("open launcher.lock");
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) return {"another launcher runs"};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, "berth-launcher");
  if (auto failed = make_dir(options_.run + "/envs", 0700)) return failed;
  if (auto failed = make_dir(options_.run + "/mnt", 0755)) return failed;
  if (auto failed = make_dir(options_.run + "/mnt/lower", 0755)) return failed;
  if (::chdir((options_.run + "/mnt").c_str()) != 0) return errno_fault("enter run/mnt");
  if (::geteuid() == 0) {
    // Capabilities survive the change of user in which environments are made.
    ::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
    machine_.cgroups.prepare();
    // Without a mount namespace there is no full isolation; the probe says so.
    if (::unshare(CLONE_NEWNS) == 0)
      (void)::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (options_.network) network_fault_ = machine_.net.prepare();
  }
  sigset_t watched;
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigaddset(&watched, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  for (const int ignored : {SIGINT, SIGHUP, SIGPIPE, SIGTTOU, SIGTTIN}) ::signal(ignored, SIG_IGN);
  signals_ = unique_fd{::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
  adopt();

  const unique_fd folder{::open(options_.run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  listen_ = unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto place = "/proc/self/fd/" + std::to_string(folder.get()) + "/launcher.sock";
  place.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlinkat(folder.get(), "launcher.sock", 0);
  ::umask(0177);
  const int bound =
      ::bind(listen_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(022);
  if (bound != 0 || ::listen(listen_.get(), 8) != 0) return errno_fault("launcher.sock");
  return no_fault();
}

void launcher::adopt() {
  const auto boot = boot_id();
  for (const auto& id : list_dir(options_.run + "/envs")) {
    const auto life = message::decode(read_file(options_.run + "/envs/" + id + "/life"));
    const auto pid = static_cast<int>(life.number("pid"));
    if (pid <= 1 || life.text("boot_id") != boot) continue;
    unique_fd pidfd{open_pidfd(pid)};
    // Looked at after the descriptor is held: the number cannot change its owner in between.
    if (!pidfd || start_time_of(pid) != life.number("start_time")) continue;
    if (life.text("phase") != "running") {
      kill_environment(machine_, id, pidfd.get());
      leftover_groups_[id] = 0;
      continue;
    }
    environments_[id] = {life.text("incarnation"), pid, life.number("start_time"),
                         std::move(pidfd),         {},  0};
  }
}

void launcher::serve() {
  asked_at_ms_ = monotonic_ms();
  while (!quit_) {
    std::vector<pollfd> waits{{listen_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    for (const auto& [fd, held] : clients_) waits.push_back({fd, POLLIN, 0});
    const auto first_environment = waits.size();
    std::vector<std::string> ids;
    for (const auto& [id, e] : environments_) {
      waits.push_back({e.pidfd.get(), POLLIN, 0});
      ids.push_back(id);
    }
    if (::poll(waits.data(), waits.size(), timeout_ms()) < 0 && errno != EINTR) break;
    if (waits[1].revents != 0) {
      signalfd_siginfo seen{};
      while (::read(signals_.get(), &seen, sizeof seen) == sizeof seen) {
        if (seen.ssi_signo == SIGTERM) quit_ = true;
      }
    }
    // Deaths before requests, so that a start never meets a corpse of the same id.
    for (std::size_t i = first_environment; i < waits.size(); ++i) {
      if (waits[i].revents != 0) reap(ids[i - first_environment]);
    }
    tick();
    for (std::size_t i = 2; i < first_environment; ++i) {
      if (waits[i].revents != 0 && clients_.contains(waits[i].fd)) read_client(waits[i].fd);
    }
    if (waits[0].revents != 0) accept_client();
  }
  if (environments_.empty()) machine_.net.remove();
}

int launcher::timeout_ms() const {
  if (!leftover_groups_.empty()) return group_removal_interval_ms;
  const auto now = monotonic_ms();
  std::int64_t wait =
      environments_.empty() ? std::max<std::int64_t>(0, asked_at_ms_ + idle_ms_max - now) : -1;
  for (const auto& [id, e] : environments_) {
    if (e.kill_at_ms == 0) continue;
    const auto left = std::max<std::int64_t>(0, e.kill_at_ms - now);
    wait = wait < 0 ? left : std::min(wait, left);
  }
  return static_cast<int>(wait);
}

void launcher::tick() {
  const auto now = monotonic_ms();
  if (environments_.empty() && now - asked_at_ms_ >= idle_ms_max) quit_ = true;
  for (auto& [id, e] : environments_) {
    if (e.kill_at_ms == 0 || e.kill_at_ms > now) continue;
    kill_environment(machine_, id, e.pidfd.get());
    e.kill_at_ms = 0;
  }
  for (auto at = leftover_groups_.begin(); at != leftover_groups_.end();) {
    const bool done =
        machine_.cgroups.remove(at->first) || ++at->second > group_removal_attempts_max;
    at = done ? leftover_groups_.erase(at) : std::next(at);
  }
  // Orphans of dead environments land here because this process is a subreaper.
  while (true) {
    siginfo_t child{};
    if (::waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0) break;
    const bool known =
        std::any_of(environments_.begin(), environments_.end(),
                    [&](const auto& each) { return each.second.pid == child.si_pid; });
    if (known) break;  // its pidfd is readable: reap() takes it in the next round
    ::waitpid(child.si_pid, nullptr, WNOHANG);
  }
}

void launcher::reap(const std::string& id) {
  const auto at = environments_.find(id);
  if (at == environments_.end()) return;
  auto ended = std::move(at->second);
  environments_.erase(at);
  asked_at_ms_ = monotonic_ms();
  int status = 0;
  const bool ours = ::waitpid(ended.pid, &status, WNOHANG) == ended.pid;
  machine_.cgroups.kill(id);
  message text;
  text.add("incarnation", ended.incarnation)
      .add("status", ours ? std::to_string(status) : "unknown");
  (void)replace_file(options_.run + "/envs/" + id + "/exit", text.encode());
  if (!machine_.cgroups.remove(id)) leftover_groups_[id] = 0;
  for (const auto& each : ended.waits) {
    answer(each.client, each.tag,
           message().add("status", ours ? std::to_string(status) : "unknown"));
  }
}

void launcher::accept_client() {
  unique_fd client{::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!client || clients_.size() >= clients_max) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  if (peer.uid != 0 && peer.uid != ::geteuid()) return;
  const int fd = client.get();
  clients_.emplace(fd, std::move(client));
}

void launcher::read_client(int client) {
  char packet[message_bytes_max];
  const auto got = ::recv(client, packet, sizeof packet, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close_client(client);
  handle(client, message::decode({packet, static_cast<std::size_t>(got)}));
}

void launcher::close_client(int client) {
  for (auto& [id, e] : environments_) {
    std::erase_if(e.waits, [&](const waiting& each) { return each.client == client; });
  }
  clients_.erase(client);
}

void launcher::answer(int client, const std::string& tag, message reply, int descriptor) {
  if (!clients_.contains(client)) return;
  reply.add("tag", tag);
  auto bytes = reply.encode();
  iovec part{bytes.data(), bytes.size()};
  agent::descriptor_room<1> room;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) agent::pass_descriptors(header, room, {&descriptor, 1});
  if (::sendmsg(client, &header, MSG_NOSIGNAL) < 0) close_client(client);
}

void launcher::handle(int client, const message& asked) {
  asked_at_ms_ = monotonic_ms();
  const auto& what = asked.text("do");
  const auto& tag = asked.text("tag");
  if (what == "version") {
    answer(client, tag,
           message()
               .add("version", std::uint64_t{protocol_version})
               .add("pid", static_cast<std::uint64_t>(::getpid())));
  } else if (what == "probe") {
    answer(client, tag, probe_machine(machine_, network_fault_, options_.network));
  } else if (what == "start") {
    start(client, asked);
  } else if (what == "stop" || what == "kill") {
    stop(client, asked, what == "kill");
  } else if (what == "list") {
    message reply;
    auto at = environments_.upper_bound(asked.text("after"));
    for (std::size_t listed = 0; at != environments_.end() && listed < listed_max; ++listed, ++at) {
      const auto& e = at->second;
      reply.add("environment", at->first + " " + e.incarnation + " " + std::to_string(e.pid) + " " +
                                   std::to_string(e.start_time));
    }
    if (at != environments_.end()) reply.add("more", std::uint64_t{1});
    answer(client, tag, reply);
  } else if (what == "open") {
    const auto at = environments_.find(asked.text("id"));
    if (at == environments_.end())
      return answer(client, tag, message().add("error", "no such environment runs"));
    answer(client, tag, message().add("incarnation", at->second.incarnation),
           at->second.pidfd.get());
  } else if (what == "quit") {
    leave(client, asked);
  } else {
    answer(client, tag, message().add("error", "unknown request \"" + what + "\""));
  }
}

void launcher::leave(int client, const message& asked) {
  if (asked.has("if_idle") && !environments_.empty()) {
    return answer(client, asked.text("tag"), message().add("error", "environments are running"));
  }
  quit_ = true;
  message reply;
  if (environments_.empty()) {
    for (const auto& each : machine_.cgroups.own_groups()) reply.add("group", each);
  }
  answer(client, asked.text("tag"), reply.add("pid", static_cast<std::uint64_t>(::getpid())));
}

void launcher::start(int client, const message& asked) {
  const auto request = parse_start(asked);
  const auto refuse = [&](const std::string& why) {
    answer(client, asked.text("tag"), message().add("error", why));
  };
  const auto told = [&](const environment& e, const std::vector<std::string>& problems) {
    message reply;
    reply.add("incarnation", e.incarnation)
        .add("pid", static_cast<std::uint64_t>(e.pid))
        .add("start_time", e.start_time);
    for (const auto& each : problems) reply.add("problem", each);
    answer(client, asked.text("tag"), reply, e.pidfd.get());
  };
  if (!is_plain_name(request.id) || !is_plain_name(request.incarnation))
    return refuse("malformed id or incarnation");
  if (request.disk.empty() || request.disk[0] != '/') return refuse("disk is not an absolute path");
  if (!request.reduced && request.uid_base < ids_per_environment)
    return refuse("uid_base is a range of the host's own ids");
  if (const auto at = environments_.find(request.id); at != environments_.end())
    return told(at->second, {});
  leftover_groups_.erase(request.id);
  auto out = start_environment(machine_, request);
  if (out.failed) return refuse(out.failed.text);
  auto& made = environments_[request.id];
  made = {request.incarnation, out.life.pid, out.life.start_time, std::move(out.life.pidfd), {}, 0};
  told(made, out.life.problems);
}

void launcher::stop(int client, const message& asked, bool at_once) {
  const auto at = environments_.find(asked.text("id"));
  const auto& incarnation = asked.text("incarnation");
  if (at == environments_.end() ||
      (!incarnation.empty() && at->second.incarnation != incarnation)) {
    return answer(client, asked.text("tag"), message().add("status", "gone"));
  }
  auto& e = at->second;
  e.waits.push_back({client, asked.text("tag")});
  if (at_once) {
    kill_environment(machine_, at->first, e.pidfd.get());
  } else if (e.kill_at_ms == 0) {
    signal_pidfd(e.pidfd.get(), SIGTERM);
    e.kill_at_ms = monotonic_ms() +
                   static_cast<std::int64_t>(std::min(asked.number("grace_ms"), grace_ms_max));
  }
}

}  // namespace berth::launcher

namespace {

// Everything the server had open, and its terminal, stay behind.
void leave_the_server(int keep) {
  if (keep > 3) ::close_range(3, static_cast<unsigned>(keep - 1), 0);
  ::close_range(static_cast<unsigned>(std::max(keep, 2) + 1), ~0U, 0);
  ::setsid();
  if (keep >= 0) ::fcntl(keep, F_SETFD, FD_CLOEXEC);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(null, 1);
}

bool parse(int argc, char** argv, berth::launcher::launcher_options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--no-network") {
      options.network = false;
      continue;
    }
    if (i + 1 >= argc) return false;
    const std::string value = argv[++i];
    if (option == "--run")
      options.run = value;
    else if (option == "--cgroup-parent")
      options.cgroup_parent = value;
    else if (option == "--network-tag")
      options.network_tag = value;
    else if (option == "--ready-fd")
      options.ready_fd = std::atoi(value.c_str());
    else
      return false;
  }
  return !options.run.empty() && options.run[0] == '/' && !options.cgroup_parent.empty() &&
         options.cgroup_parent.find("..") == std::string::npos &&
         berth::launcher::is_plain_name(options.network_tag);
}

}  // namespace

int launcher_main(int argc, char** argv) {
  berth::launcher::launcher_options options;
  if (!parse(argc, argv, options)) {
    ::dprintf(2,
              "usage: berth-agent --launcher --run DIR --cgroup-parent NAME --network-tag HEX "
              "[--no-network] [--ready-fd N]\n");
    return 2;
  }
  leave_the_server(options.ready_fd);
  berth::launcher::launcher launcher(options);
  if (const auto failed = launcher.open()) {
    ::dprintf(2, "launcher: %s\n", failed.text.c_str());
    if (options.ready_fd >= 0) ::dprintf(options.ready_fd, "%s\n", failed.text.c_str());
    return failed.text == "another launcher runs" ? 3 : 1;
  }
  if (options.ready_fd >= 0) {
    (void)!::write(options.ready_fd, "R", 1);
    ::close(options.ready_fd);
  }
  launcher.serve();
  return 0;
}
