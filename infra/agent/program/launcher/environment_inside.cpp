#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "infra/agent/program/launcher/environment.hpp"
#include "infra/agent/program/launcher/mounts.hpp"
#include "infra/agent/program/launcher/netlink.hpp"

namespace berth::launcher {

namespace {

constexpr rlim_t open_files_max = 65'536;
constexpr unsigned terminals_max = 256;  // the kernel's own number is for the whole machine
constexpr std::uint64_t bytes_per_inode = 8 * 1024;  // an empty file holds about 1 KiB of memory
constexpr unsigned device_inodes_max = 1024;

std::string tmpfs_options(const char* mode, std::uint64_t bytes) {
  return std::string("mode=") + mode + ",size=" + std::to_string(bytes) +
         ",nr_inodes=" + std::to_string(bytes / bytes_per_inode);
}

[[noreturn]] void give_up(int ready, const fault& why) {
  const auto line = why.text + "\n";
  (void)!::write(ready, line.data(), line.size());
  ::_exit(1);
}

class inside {
 public:
  explicit inside(const child_plan& plan) : plan_(plan), request_(*plan.request) {}

  [[noreturn]] void run() {
    reset_signals();
    int mounts[mount_count] = {-1, -1, -1, -1};
    if (!receive_descriptors(plan_.channel, mounts, request_.reduced ? 0 : mount_count)) ::_exit(1);
    if (!request_.reduced) must(::setgroups(0, nullptr), "setgroups");
    must(::setresgid(0, 0, 0), "setgid");
    must(::setresuid(0, 0, 0), "setuid");
    must(::prctl(PR_SET_DUMPABLE, 0), "prctl dumpable");
    ::umask(0);
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts");
    if (request_.reduced)
      enter_reduced_root();
    else
      enter_root(mounts);
    kernel_file_systems();
    devices();
    must(static_cast<int>(::syscall(SYS_pivot_root, ".", ".")), "pivot_root");
    must(::umount2(".", MNT_DETACH), "detach the host's root");
    must(::chdir("/"), "chdir");
    must(::sethostname(request_.name.data(), request_.name.size()), "sethostname");
    interfaces();
    limits();
    ::umask(022);
    exec_agent();
  }

 private:
  void must(int result, const char* step) {
    if (result < 0) give_up(plan_.ready, errno_fault(step));
  }
  void must(const fault& failed) {
    if (failed) give_up(plan_.ready, failed);
  }

  static void reset_signals() {
    for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  void attach(int mount, const char* where) {
    must(static_cast<int>(
             ::syscall(SYS_move_mount, mount, "", AT_FDCWD, where, 0x4 /* F_EMPTY_PATH */)),
         where);
  }

  // The working directory (run/mnt) came along from the launcher: the way to it is closed to this
  // uid.
  void enter_root(const int* mounts) {
    attach(mounts[0], ".");
    must(::fchdir(mounts[0]), "enter root");
    attach(mounts[1], "usr");
    attach(mounts[2], "home");
    attach(mounts[3], "workspace");
  }

  // Without root: an overlay of this user namespace, whose files all belong to the one uid there
  // is.
  void enter_reduced_root() {
    const auto& disk = request_.disk;
    const auto options = "userxattr,lowerdir=" + request_.template_root + ",upperdir=" + disk +
                         "/upper,workdir=" + disk + "/work";
    must(::mount("berth", ".", "overlay", MS_NODEV, options.c_str()),
         "overlay in a user namespace");
    const auto root = request_.disk + "/../../run/mnt";
    must(::chdir(root.c_str()), "enter root");
    must(::mount("/usr", "usr", nullptr, MS_BIND, nullptr), "bind /usr");
    must(::mount((disk + "/home").c_str(), "home", nullptr, MS_BIND, nullptr), "bind home");
    must(::mount((disk + "/workspace").c_str(), "workspace", nullptr, MS_BIND, nullptr),
         "bind workspace");
  }

  void kernel_file_systems() {
    must(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
         "mount proc (is the host's /proc masked?)");
    // Absent sysfs costs hardware listings only.
    (void)::mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
    const auto run_size = std::max<std::uint64_t>(request_.limits.memory_bytes / 10, 16u << 20);
    const auto options = tmpfs_options("755", run_size);
    must(::mount("tmpfs", "run", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()), "mount /run");
    (void)::mkdir("run/lock", 01777);
    (void)::mkdir("run/user", 0755);
    (void)::mkdir("run/sudo", 0711);
  }

  void devices() {
    const auto small = "mode=755,size=64k,nr_inodes=" + std::to_string(device_inodes_max);
    must(::mount("tmpfs", "dev", "tmpfs", MS_NOSUID, small.c_str()), "mount /dev");
    must(::mkdir("dev/pts", 0755), "mkdir dev/pts");
    must(::mkdir("dev/shm", 01777), "mkdir dev/shm");
    const auto pts = "newinstance,ptmxmode=0666,mode=620,max=" + std::to_string(terminals_max) +
                     (request_.reduced ? "" : ",gid=5");
    must(::mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts.c_str()),
         "mount /dev/pts");
    // Counted as memory of the workload: a full one at the limit's size would end every later
    // command.
    const auto shm = request_.limits.memory_bytes == 0 ? std::uint64_t{64u << 20}
                                                       : request_.limits.memory_bytes / 4;
    const auto options = tmpfs_options("1777", shm);
    must(::mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()),
         "mount /dev/shm");
    must(::symlink("pts/ptmx", "dev/ptmx"), "dev/ptmx");
    must(::symlink("/proc/self/fd", "dev/fd"), "dev/fd");
    must(::symlink("/proc/self/fd/0", "dev/stdin"), "dev/stdin");
    must(::symlink("/proc/self/fd/1", "dev/stdout"), "dev/stdout");
    must(::symlink("/proc/self/fd/2", "dev/stderr"), "dev/stderr");
    for (const auto* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
      const auto here = std::string("dev/") + name;
      const unique_fd file{::open(here.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666)};
      must(::mount(("/" + here).c_str(), here.c_str(), nullptr, MS_BIND, nullptr), here.c_str());
    }
  }

  void interfaces() {
    must(set_up("lo"));
    if (!plan_.network) return;
    must(set_address("eth0", plan_.address, "255.255.0.0"));
    must(set_up("eth0"));
    must(add_neighbour("eth0", plan_.gateway, hardware_address_of(plan_.gateway)));
    must(add_default_route(plan_.gateway));
  }

  static void limits() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min(files.rlim_max, open_files_max);
    files.rlim_max = files.rlim_cur;
    ::setrlimit(RLIMIT_NOFILE, &files);
    const rlimit core{0, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &core);
  }

  void pass(const char* option, int fd) {
    if (fd < 0) return;
    const int flags = ::fcntl(fd, F_GETFD);
    ::fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
    arguments_.push_back(option);
    arguments_.push_back(std::to_string(fd));
  }

  [[noreturn]] void exec_agent() {
    must(static_cast<int>(::syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */)),
         "close_range");
    arguments_ = {"berth-agent",   "--serve",       "--environment",
                  request_.id,     "--incarnation", request_.incarnation,
                  "--workload-ns", "--drop-caps"};
    pass("--listen-fd", plan_.listen);
    pass("--state-fd", plan_.state);
    pass("--ready-fd", plan_.ready);
    for (const auto& procs : plan_.group->procs) pass("--cgroup-fd", procs.get());
    pass("--stat-cpu-fd", plan_.group->stat_cpu.get());
    pass("--stat-memory-fd", plan_.group->stat_memory.get());
    pass("--stat-pids-fd", plan_.group->stat_pids.get());
    arguments_.insert(arguments_.end(), request_.agent_options.begin(),
                      request_.agent_options.end());
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::dup2(plan_.log, 2);
    std::vector<char*> argv;
    for (auto& each : arguments_) argv.push_back(each.data());
    argv.push_back(nullptr);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char home[] = "HOME=/root";
    char locale[] = "LANG=C.UTF-8";
    char* env[] = {path, home, locale, nullptr};
    ::syscall(SYS_execveat, plan_.agent, "", argv.data(), env, AT_EMPTY_PATH);
    give_up(plan_.ready, errno_fault("execute berth-agent"));
  }

  const child_plan& plan_;
  const start_request& request_;
  std::vector<std::string> arguments_;
};

}  // namespace

void run_inside(const child_plan& plan) {
  inside(plan).run();
}

}  // namespace berth::launcher
