#include "infra/providers/sandbox/launcher_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "infra/agent/protocol/passed_descriptors.hpp"

namespace berth {

using launcher::message;

namespace {
constexpr std::chrono::milliseconds spawn_timeout{10'000};
constexpr std::chrono::milliseconds version_timeout{5'000};
constexpr std::chrono::milliseconds quit_timeout{5'000};

host_error launcher_error(const std::string& step) {
  return {host_errc::io, "launcher: " + step + ": " + std::strerror(errno), "see `devctl doctor`"};
}

using agent::unique_fd;

ssize_t receive(int socket, std::string& packet, unique_fd& descriptor) {
  iovec part{packet.data(), packet.size()};
  agent::descriptor_room<1> room;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  agent::expect_descriptors(header, room);
  const auto got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (got > 0) agent::take_descriptors(header, [&](unique_fd fd) { descriptor = std::move(fd); });
  return got;
}
}  // namespace

launcher_client::launcher_client(launcher_setup setup) : setup_(std::move(setup)) {
  std::error_code ignored;
  std::filesystem::create_directories(setup_.run_dir, ignored);
  ::chmod(setup_.run_dir.c_str(), 0700);
  run_folder_ = ::open(setup_.run_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

launcher_client::~launcher_client() {
  if (run_folder_ >= 0) ::close(run_folder_);
}

host_result<bool> launcher_client::ensure() {
  const std::lock_guard hold(mutex_);
  return ensure_locked();
}

host_result<bool> launcher_client::ensure_locked() {
  auto version = ask_once(message().add("do", "version"), version_timeout);
  if (version &&
      version->text.number("version") != static_cast<std::uint64_t>(launcher::protocol_version)) {
    // Its environments run on and are adopted by the next one.
    (void)quit(false);
    version = host_error{host_errc::unavailable, "launcher of another version", ""};
  }
  if (!version) {
    if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);  // the one that died was ours
    if (auto spawned = spawn(); !spawned) return spawned;
    version = ask_once(message().add("do", "version"), version_timeout);
    if (!version) return version.error();
  }
  pid_ = static_cast<int>(version->text.number("pid"));
  return true;
}

bool launcher_client::quit(bool only_if_idle) {
  message request;
  request.add("do", "quit");
  if (only_if_idle) request.add("if_idle", "1");
  const auto answer = ask_once(request, quit_timeout);
  if (!answer) return false;
  const auto pid = static_cast<int>(answer->text.number("pid"));
  const unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  pollfd wait{pidfd.get(), POLLIN, 0};
  if (pidfd) ::poll(&wait, 1, static_cast<int>(quit_timeout.count()));
  ::waitpid(pid, nullptr, WNOHANG);
  for (const auto& group : answer->text.all("group")) ::rmdir(group.c_str());
  return true;
}

host_result<launcher_answer> launcher_client::ask(message request,
                                                  std::chrono::milliseconds within) {
  auto reply = ask_once(request, within);
  if (reply || reply.error().code != host_errc::unavailable) return reply;
  if (auto again = ensure(); !again) return again.error();
  return ask_once(request, within);
}

host_result<std::vector<environment_id>> launcher_client::list(std::chrono::milliseconds within) {
  std::vector<environment_id> all;
  for (bool more = true; more;) {
    message request;
    request.add("do", "list").add("after", all.empty() ? "" : all.back().value);
    const auto answer = ask(request, within);
    if (!answer) return answer.error();
    for (const auto& line : answer->text.all("environment"))
      all.push_back({line.substr(0, line.find(' '))});
    more = answer->text.has("more");
  }
  return all;
}

host_result<launcher_answer> launcher_client::ask_once(const message& request,
                                                       std::chrono::milliseconds within) const {
  const unique_fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto place = "/proc/self/fd/" + std::to_string(run_folder_) + "/launcher.sock";
  place.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    auto failed = launcher_error("connect");
    failed.code = host_errc::unavailable;
    return failed;
  }
  const auto bytes = request.encode();
  if (::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
    return launcher_error("send");
  const auto deadline = std::chrono::steady_clock::now() + within;
  std::string packet(launcher::message_bytes_max, '\0');
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return host_error{host_errc::timeout,
                        "the launcher did not answer \"" + request.text("do") + "\" in time",
                        "see `devctl doctor`"};
    }
    pollfd wait{socket.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) continue;
    launcher_answer reply;
    const auto got = receive(socket.get(), packet, reply.pidfd);
    if (got <= 0)
      return host_error{host_errc::unavailable, "the launcher ended while it was asked",
                        "it is started again"};
    reply.text = message::decode({packet.data(), static_cast<std::size_t>(got)});
    if (reply.text.has("error"))
      return host_error{host_errc::io, reply.text.text("error"), "see `devctl doctor`"};
    return reply;
  }
}

host_result<bool> launcher_client::spawn() const {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return launcher_error("pipe");
  const unique_fd read_end{pipe[0]};
  unique_fd write_end{pipe[1]};
  constexpr int ready_fd = 3;
  const std::string log = setup_.run_dir + "/launcher.log";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), ready_fd);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> words = {
      setup_.agent_binary,     "--launcher",       "--run",
      setup_.run_dir,          "--cgroup-parent",  setup_.cgroup_parent,
      "--network-tag",         setup_.network_tag, "--ready-fd",
      std::to_string(ready_fd)};
  if (!setup_.network) words.emplace_back("--no-network");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // Nothing of the server's environment: it may hold keys.
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* env[] = {path, nullptr};
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, setup_.agent_binary.c_str(), &actions, &attributes, argv.data(), env);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  write_end.reset();
  if (failed != 0) {
    return host_error{host_errc::unavailable,
                      "cannot run " + setup_.agent_binary + ": " + std::strerror(failed),
                      "berth-agent must lie beside berthd"};
  }
  std::string said;
  pollfd wait{read_end.get(), POLLIN, 0};
  while (::poll(&wait, 1, static_cast<int>(spawn_timeout.count())) > 0) {
    char block[512];
    const auto got = ::read(read_end.get(), block, sizeof block);
    if (got <= 0) break;
    said.append(block, static_cast<std::size_t>(got));
    if (said[0] == 'R') return true;
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  ::waitpid(pid, nullptr, WNOHANG);
  // Lost the race against another server's launcher of the same directory: that one will do.
  if (said == "another launcher runs") return true;
  return host_error{host_errc::unavailable,
                    "the launcher did not start: " + (said.empty() ? "see " + log : said),
                    "see `devctl doctor`"};
}

}  // namespace berth
