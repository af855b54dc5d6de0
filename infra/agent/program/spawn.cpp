#include "infra/agent/program/spawn.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>

namespace berth::agent {
namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int status_slot =
    3;  // where the child keeps the status descriptor while it closes the others

[[noreturn]] void fail_child(int status_fd, const std::string& what) {
  const auto line = what + ": " + std::strerror(errno);
  const int code = errno == ENOENT ? 127 : 126;
  [[maybe_unused]] const auto wrote = ::write(status_fd, line.data(), line.size());
  ::_exit(code);
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string name_of_default_shell(const user_record& user) {
  return !user.shell.empty() && ::access(user.shell.c_str(), X_OK) == 0 ? user.shell : "/bin/sh";
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

spawner::spawner(const options& options) : options_{options} {}

bool spawner::prepare(std::string& problem) {
  if (!options_.drop_caps) return true;
  auto filter = build_workload_filter();
  if (!filter) {
    problem = "cannot build the workload's system call filter";
    return false;
  }
  filter_ = std::move(*filter);
  return true;
}

std::optional<user_record> spawner::user_for(const std::string& name) const {
  if (options_.default_user && (name.empty() || name == options_.default_user->name))
    return options_.default_user;
  return find_user(name.empty() ? "dev" : name);
}

std::vector<std::string> spawner::environment_of(const workload& what,
                                                 const user_record& user) const {
  std::map<std::string, std::string> all{
      {"HOME", user.home},    {"USER", user.name},
      {"LOGNAME", user.name}, {"SHELL", name_of_default_shell(user)},
      {"PATH", default_path}, {"LANG", "C.UTF-8"},
      {"BERTH", "1"},         {"BERTH_ENVIRONMENT", options_.environment},
  };
  if (what.controlling_terminal) {
    all["TERM"] = "xterm-256color";
    all["COLORTERM"] = "truecolor";
  }
  if (options_.gateway_port != 0)
    all["BERTH_GATEWAY"] = "http://127.0.0.1:" + std::to_string(options_.gateway_port);
  for (const auto& [name, value] : options_.env) all[name] = value;
  for (const auto& [name, value] : what.env) all[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

void spawner::run_child(const workload& what, const user_record& user, int status_fd) {
  for (const int group : options_.cgroup_fds) {
    if (::write(group, "0", 1) != 1) fail_child(status_fd, "cannot enter the workload's cgroup");
  }
  reset_signals();
  ::setsid();
  if (what.controlling_terminal && ::ioctl(what.standard_fds[0], TIOCSCTTY, 0) != 0)
    fail_child(status_fd, "cannot take the terminal");
  // All sources are above the standard ones: the agent keeps 0, 1 and 2 open.
  for (int i = 0; i < 3; ++i) ::dup2(what.standard_fds[i], i);
  if (status_fd != status_slot) ::dup3(status_fd, status_slot, O_CLOEXEC);
  ::close_range(status_slot + 1, ~0u, 0);
  ::umask(022);
  if (options_.drop_caps && !drop_capabilities())
    fail_child(status_slot, "cannot drop capabilities");
  if (::geteuid() == 0) {
    const auto groups = groups_of(user);
    if (::setgroups(groups.size(), groups.data()) != 0 && user.uid != 0)
      fail_child(status_slot, "cannot set groups");
    if (::setgid(user.gid) != 0) fail_child(status_slot, "cannot set the group");
  }
  if (!filter_.empty() && !install_filter(filter_))
    fail_child(status_slot, "cannot install the system call filter");
  if (user.uid != ::geteuid() && ::setuid(user.uid) != 0)
    fail_child(status_slot, "cannot become " + user.name);
  auto directory = what.working_directory;
  if (directory.empty())
    directory = is_directory("/workspace") ? "/workspace"
                : is_directory(user.home)  ? user.home
                                           : "/";
  if (::chdir(directory.c_str()) != 0) fail_child(status_slot, "cannot enter " + directory);
  auto lines = environment_of(what, user);
  auto environment = pointers_to(lines);
  ::environ = environment.data();
  auto command = what.command;
  std::string file;
  if (command.empty()) {
    file = name_of_default_shell(user);
    command.push_back("-" + file.substr(file.rfind('/') + 1));
  } else {
    file = command.front();
  }
  auto arguments = pointers_to(command);
  ::execvp(file.c_str(), arguments.data());
  fail_child(status_slot, "cannot run " + file);
}

std::optional<spawned> spawner::start(const workload& what, std::string& problem) {
  const auto user = user_for(what.user);
  if (!user) {
    problem = "no user " + (what.user.empty() ? std::string{"dev"} : what.user) + " in /etc/passwd";
    return std::nullopt;
  }
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
    problem = std::string{"pipe: "} + std::strerror(errno);
    return std::nullopt;
  }
  unique_fd reader{pipe_fds[0]};
  const unique_fd writer{pipe_fds[1]};
  const pid_t child = ::fork();
  if (child == 0) run_child(what, *user, writer.get());
  if (child < 0) {
    problem = std::string{"fork: "} + std::strerror(errno);
    return std::nullopt;
  }
  return spawned{child, std::move(reader)};
}

std::optional<std::string> read_spawn_status(int fd) {
  char text[512];
  const auto got = ::read(fd, text, sizeof text);
  if (got < 0)
    return errno == EAGAIN || errno == EINTR ? std::nullopt : std::optional{std::string{}};
  return std::string{text, static_cast<std::size_t>(got)};
}

}  // namespace berth::agent
