#include "infra/agent/program/launcher/os.hpp"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdlib>

namespace berth::launcher {

namespace {
constexpr std::size_t program_error_bytes_max = 400;

bool remove_entries(int dir) {
  DIR* list = ::fdopendir(dir);
  if (list == nullptr) {
    ::close(dir);
    return false;
  }
  bool all = true;
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(::dirfd(list), entry->d_name, 0) == 0) continue;
    const int inner =
        ::openat(::dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) remove_entries(inner);
    all = ::unlinkat(::dirfd(list), entry->d_name, AT_REMOVEDIR) == 0 && all;
  }
  ::closedir(list);
  return all;
}
}  // namespace

fault errno_fault(std::string_view step) {
  const int code = errno;
  const char* name = ::strerrorname_np(code);
  return {std::string(step) + ": " + ::strerror(code) + " (" + (name != nullptr ? name : "?") +
          ")"};
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string all;
  char block[8192];
  while (file && all.size() < bytes_max) {
    const auto got = ::read(file.get(), block, sizeof block);
    if (got <= 0) break;
    all.append(block, static_cast<std::size_t>(got));
  }
  return all;
}

fault write_file(const std::string& path, std::string_view bytes) {
  unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return errno_fault("open " + path);
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return errno_fault("write \"" + std::string(bytes) + "\" to " + path);
  }
  return no_fault();
}

fault replace_file(const std::string& path, std::string_view bytes, unsigned mode) {
  const auto fresh = path + ".new";
  unique_fd file{
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (!file) return errno_fault("open " + fresh);
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return errno_fault("write " + fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return errno_fault("rename " + fresh);
  return no_fault();
}

fault make_dir(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) return errno_fault("chmod " + path);
    return no_fault();
  }
  return errno == EEXIST ? no_fault() : errno_fault("mkdir " + path);
}

std::vector<std::string> list_dir(const std::string& path) {
  std::vector<std::string> names;
  DIR* list = ::opendir(path.c_str());
  if (list == nullptr) return names;
  while (const dirent* entry = ::readdir(list)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(list);
  return names;
}

bool remove_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return true;
  const int dir = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir < 0) return false;
  remove_entries(dir);
  return ::rmdir(path.c_str()) == 0;
}

std::uint64_t start_time_of(int pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  // The command name may hold anything, so fields are counted after its closing bracket; the next
  // one is field 3.
  auto at = stat.rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  return std::strtoull(stat.c_str() + at + 1, nullptr, 10);
}

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

int open_pidfd(int pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
bool signal_pidfd(int pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0;
}

fault run_program(const std::vector<std::string>& argv, std::string_view input) {
  int in[2];
  int err[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return errno_fault("pipe");
  unique_fd in_read{in[0]};
  unique_fd in_write{in[1]};
  if (::pipe2(err, O_CLOEXEC) != 0) return errno_fault("pipe");
  unique_fd err_read{err[0]};
  unique_fd err_write{err[1]};
  std::vector<char*> args;
  for (const auto& each : argv) args.push_back(const_cast<char*>(each.c_str()));
  args.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return errno_fault("fork");
  if (child == 0) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(in_read.get(), 0);
    ::dup2(err_write.get(), 1);
    ::dup2(err_write.get(), 2);
    ::execv(args[0], args.data());
    ::_exit(127);
  }
  in_read.reset();
  err_write.reset();
  if (::write(in_write.get(), input.data(), input.size()) < 0)
    errno = 0;  // its own message says more than EPIPE
  in_write.reset();
  std::string said;
  char block[512];
  ssize_t got = 0;
  while ((got = ::read(err_read.get(), block, sizeof block)) > 0) {
    if (said.size() < program_error_bytes_max) said.append(block, static_cast<std::size_t>(got));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return no_fault();
  for (auto& c : said) {
    if (c == '\n') c = ' ';
  }
  return {argv[0] + " failed: " + (said.empty() ? "status " + std::to_string(status) : said)};
}

}  // namespace berth::launcher
