// Drives the real berth-agent without a sandbox: a plain child process of the test, as the current
// user, in a temporary directory. Every wait has a deadline.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "infra/agent/link/agent_link.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::agent::test {

using namespace std::chrono_literals;
inline constexpr auto patience = 10s;

inline std::string agent_program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "berth-agent").string();
}

class agent_process {
 public:
  explicit agent_process(std::vector<std::string> more = {}) {
    std::filesystem::create_directory(state());
    int ready[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    const auto uid = std::to_string(::getuid());
    std::vector<std::string> arguments{
        agent_program(),
        "--serve",
        "--environment",
        "env_test",
        "--incarnation",
        "life-1",
        "--listen",
        socket(),
        "--state",
        state(),
        "--ready-fd",
        "9",
        "--gateway-port",
        "0",
        "--gateway-socket",
        "",
        "--stats-ms",
        "50",
        "--user",
        "tester:" + uid + ":" + std::to_string(::getgid()) + ":" + directory() + ":/bin/sh"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ready[1], 9);
      ::execv(argv[0], argv.data());
      ::_exit(99);
    }
    ::close(ready[1]);
    char answer = 0;
    const auto got = ::read(ready[0], &answer, 1);
    ::close(ready[0]);
    REQUIRE(got == 1);
    REQUIRE(answer == 'R');
  }
  ~agent_process() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool alive() const { return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  int wait_exit() {
    int status = -1;
    for (int i = 0; i < 1000 && ::waitpid(pid_, &status, WNOHANG) == 0; ++i)
      std::this_thread::sleep_for(10ms);
    pid_ = -1;
    return status;
  }
  pid_t pid() const { return pid_; }
  std::string directory() const { return directory_.path().string(); }
  std::string socket() const { return directory_ / "agent.sock"; }
  std::string state() const { return directory_ / "state"; }
  agent_address address(std::uint64_t epoch = 1) const {
    return {socket(), unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))},
            environment_id{"env_test"}, incarnation{"life-1"}, epoch};
  }

 private:
  testing::temporary_folder directory_{std::filesystem::temp_directory_path()};
  pid_t pid_ = -1;
};

// Remembers what the link said; checks that output comes in order without gap.
class recorder : public agent_link_observer {
 public:
  struct heard {
    std::uint64_t first = 0;
    std::string bytes;
    bool in_order = true;
    std::vector<terminal_end> ends;
    std::optional<host_error> missing;
    std::uint64_t missing_first = 0;
  };
  void agent_ready(const environment_id&, const std::vector<agent_terminal>& terminals) override {
    change([&] {
      ++ready_;
      terminals_ = terminals;
    });
  }
  void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                       shared_bytes data) override {
    change([&] {
      auto& one = heard_[terminal];
      if (one.bytes.empty()) one.first = offset;
      if (one.first + one.bytes.size() != offset) one.in_order = false;
      one.bytes += *data;
    });
  }
  void terminal_ended(const terminal_id& terminal, const terminal_end& end) override {
    change([&] { heard_[terminal].ends.push_back(end); });
  }
  void terminal_missing(const terminal_id& terminal, const host_error& why,
                        std::uint64_t first) override {
    change([&] {
      heard_[terminal].missing = why;
      heard_[terminal].missing_first = first;
    });
  }
  void stats_seen(const environment_id&, const environment_stats& stats) override {
    change([&] { stats_.push_back(stats); });
  }
  void gateway_connection(const environment_id&, int fd) override {
    change([&] { gateway_.push_back(fd); });
  }
  void agent_over(const environment_id&, const incarnation&, bool lost,
                  const host_error& why) override {
    change([&] {
      lost_ = lost;
      over_ = why;
    });
  }

  // True if it became so in time.
  bool until(const std::function<bool()>& so, std::chrono::milliseconds limit = patience) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit, so);
  }
  template <class Read>
  auto read(Read reader) {
    const std::lock_guard lock{mutex_};
    return reader();
  }
  template <class Change>
  void change(Change changer) {
    const std::lock_guard lock{mutex_};
    changer();
    changed_.notify_all();
  }
  bool saw(const terminal_id& terminal, const std::string& text) {
    return until([&] { return heard_[terminal].bytes.find(text) != std::string::npos; });
  }
  std::size_t count(const terminal_id& terminal) {
    return read([&] { return heard_[terminal].bytes.size(); });
  }
  std::string bytes(const terminal_id& terminal) {
    return read([&] { return heard_[terminal].bytes; });
  }

  std::map<terminal_id, heard> heard_;
  std::vector<agent_terminal> terminals_;
  std::vector<environment_stats> stats_;
  std::vector<int> gateway_;
  int ready_ = 0;
  bool lost_ = false;
  std::optional<host_error> over_;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Waits for one completion.
template <class T>
class answer {
 public:
  host_completion<T> completion() {
    return [state = state_](host_result<T> result) {
      const std::lock_guard lock{state->mutex};
      state->result.emplace(std::move(result));
      ++state->times;
      state->changed.notify_all();
    };
  }
  bool came(std::chrono::milliseconds limit = patience) {
    std::unique_lock lock{state_->mutex};
    return state_->changed.wait_for(lock, limit, [&] { return state_->result.has_value(); });
  }
  host_result<T> get() {
    if (!came()) FAIL("no answer in time");
    const std::lock_guard lock{state_->mutex};
    return *state_->result;
  }
  int times() {
    const std::lock_guard lock{state_->mutex};
    return state_->times;
  }

 private:
  struct shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<host_result<T>> result;
    int times = 0;
  };
  std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

// Agent, reactor, link and recorder together.
struct rig {
  explicit rig(std::vector<std::string> more = {}) : process{std::move(more)} {
    link = agent_link::make(reactor, process.address(), heard);
  }
  ~rig() { link->detach(); }
  void relink(std::uint64_t epoch = 1) {
    link->detach();
    link = agent_link::make(reactor, process.address(epoch), heard);
  }
  terminal_started open(const terminal_id& id, std::vector<std::string> command,
                        std::uint64_t buffer = 1 << 20, bool follow = true) {
    terminal_spec spec;
    spec.id = id;
    spec.command = std::move(command);
    spec.buffer_bytes_max = buffer;
    answer<terminal_started> opened;
    link->open_terminal(spec, opened.completion());
    const auto result = opened.get();
    REQUIRE(result.has_value());
    if (follow) link->follow(id, 0);
    return *result;
  }
  host_result<exec_output> exec(exec_request request) {
    answer<exec_output> done;
    link->exec(request, done.completion());
    return done.get();
  }
  host_result<input_outcome> input(const terminal_id& id, const input_stream_id& stream,
                                   std::uint64_t sequence, std::string bytes) {
    answer<input_outcome> done;
    link->input(id, stream, sequence, std::move(bytes), done.completion());
    return done.get();
  }

  agent_process process;
  agent_reactor reactor;
  recorder heard;
  std::shared_ptr<agent_link> link;
};

inline unique_fd connect_raw(const std::string& path) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

inline void say(int fd, const std::string& bytes) {
  [[maybe_unused]] const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

inline uuid numbered(std::uint8_t kind, std::uint32_t number) {
  uuid id;
  id.bytes[0] = kind;
  std::memcpy(&id.bytes[4], &number, sizeof number);
  return id;
}

inline exec_request command(std::uint32_t effect, std::vector<std::string> words) {
  exec_request request;
  request.effect = numbered(1, effect);
  request.command = std::move(words);
  return request;
}

inline std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 random{seed};
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary} << bytes;
}

}  // namespace berth::agent::test
