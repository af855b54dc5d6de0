#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "infra/agent/program/launcher/launcher.hpp"
#include "infra/agent/program/launcher/mounts.hpp"

namespace berth::launcher {

namespace {

constexpr const char* user_namespace_step =
    "; allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "user.max_user_namespaces>0, no seccomp or "
    "AppArmor profile that denies clone3/unshare)";
constexpr const char* proc_step =
    "; start berthd where /proc is not masked (in a container: --security-opt unmask=ALL)";

struct trial {
  std::string work;  // folder with upper and work
  bool reduced{};
};

// Runs in the new namespaces: every kind of mount an environment needs. Returns through the exit
// code which failed.
int try_mounts(int channel, const trial& trying) {
  int mount = -1;
  if (!receive_descriptors(channel, &mount, trying.reduced ? 0 : 1)) return 10;
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) return 11;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 12;
  if (trying.reduced) {
    const auto options = "userxattr,lowerdir=" + trying.work + "/lower,upperdir=" + trying.work +
                         "/upper,workdir=" + trying.work + "/work";
    if (::mount("berth", ".", "overlay", MS_NODEV, options.c_str()) != 0) return 13;
  } else if (::syscall(SYS_move_mount, mount, "", AT_FDCWD, ".", 4) != 0 || ::fchdir(mount) != 0) {
    return 13;
  }
  if (!trying.reduced &&
      (::mkdir("proc", 0755) != 0 || ::mount("proc", "proc", "proc", 0, nullptr) != 0))
    return 14;
  if (trying.reduced && ::mount("proc", "lower", "proc", 0, nullptr) != 0) return 14;
  return 0;
}

std::string describe(int code) {
  switch (code) {
    case 11:
      return "become root of the user namespace";
    case 12:
      return "private mounts";
    case 13:
      return "overlay mount";
    case 14:
      return "mount of a fresh /proc";
    default:
      return "trial environment (code " + std::to_string(code) + ")";
  }
}

fault try_environment(const trial& trying) {
  int channel[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
    return errno_fault("socketpair");
  unique_fd ours{channel[0]};
  unique_fd theirs{channel[1]};
  clone_args args{};
  args.flags =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) return {errno_fault("clone3 with namespaces").text + user_namespace_step};
  if (pid == 0) {
    ours.reset();
    ::_exit(try_mounts(theirs.get(), trying));
  }
  theirs.reset();
  const auto proc = "/proc/" + std::to_string(pid);
  fault failed;
  if (trying.reduced) {
    failed = write_file(proc + "/setgroups", "deny");
    if (!failed) failed = write_file(proc + "/uid_map", "0 " + std::to_string(::geteuid()) + " 1");
    if (!failed) failed = write_file(proc + "/gid_map", "0 " + std::to_string(::getegid()) + " 1");
    if (!failed) failed = send_descriptors(ours.get(), nullptr, 0);
  } else {
    constexpr std::uint32_t base = 0x7fff0000U - ids_per_environment;
    const auto map = "0 " + std::to_string(base) + " " + std::to_string(ids_per_environment);
    failed = write_file(proc + "/uid_map", map);
    if (!failed) failed = write_file(proc + "/gid_map", map);
    (void)!::chown((trying.work + "/upper").c_str(), base, base);
    const unique_fd users{::open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC)};
    auto overlay = idmapped_overlay(trying.work + "/lower", trying.work + "/upper",
                                    trying.work + "/work", users.get());
    if (!failed && overlay.failed)
      failed = {overlay.failed.text + "; needs Linux 5.19 or later and root"};
    const int fd = overlay.fd.get();
    if (!failed) failed = send_descriptors(ours.get(), &fd, 1);
  }
  ours.reset();
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (failed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) return failed;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return {describe(code) + " failed" + (code == 14 ? proc_step : "")};
}

fault try_in_folder(const machine& on, bool reduced) {
  const trial trying{on.run + "/probe", reduced};
  remove_tree(trying.work);
  auto failed = make_dir(trying.work, 0700);
  for (const auto* each : {"/lower", "/upper", "/work"}) {
    if (!failed) failed = make_dir(trying.work + each, 0755);
  }
  if (!failed) failed = make_dir(trying.work + "/lower/lower", 0755);
  if (!failed) failed = try_environment(trying);
  remove_tree(trying.work);
  return failed;
}

}  // namespace

message probe_machine(machine& on, const fault& network_fault, bool network_wanted) {
  message found;
  std::vector<std::string> problems;
  const bool root = ::geteuid() == 0;
  std::string isolation = "none";
  fault failed = root ? try_in_folder(on, false) : fault{"not root"};
  if (!failed) {
    isolation = "full";
  } else {
    problems.push_back("isolation: " + failed.text +
                       (root ? "" : "; run berthd as root for full isolation"));
    // The reduced kind is for a server without root: as root it would give environments the host's
    // root.
    const auto reduced =
        root ? fault{"root without id-mapped overlays is not enough"} : try_in_folder(on, true);
    if (!reduced)
      isolation = "reduced";
    else
      problems.push_back("sandbox: " + reduced.text);
  }
  std::string limits = "none";
  if (isolation == "full")
    limits = on.cgroups.probe(problems);
  else
    problems.push_back("limits: only rlimits without root");
  const bool network = isolation == "full" && network_wanted && on.net.works();
  if (isolation == "full" && network_wanted && !network)
    problems.push_back("network: " + network_fault.text);
  if (isolation != "full") problems.push_back("network: none without root");
  found.add("works", std::uint64_t{isolation != "none"})
      .add("isolation", isolation)
      .add("limits", limits);
  found.add("network", network ? "outbound" : "none");
  for (const auto& each : problems) found.add("problem", each);
  return found;
}

}  // namespace berth::launcher
