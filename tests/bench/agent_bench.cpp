// What a terminal costs through berth-agent and its link, without sandbox or network: keystroke
// echo and bulk output.
//   agent_bench [MB]    prints a table; beside it the same PTY read by a loop that does nothing
//   else.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "infra/agent/link/agent_link.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace berth;
using namespace berth::agent;
using clock_type = std::chrono::steady_clock;

double us_since(clock_type::time_point then) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - then).count();
}

// Only counts, and tells the storage bound that all is stored.
class counter : public agent_link_observer {
 public:
  void agent_ready(const environment_id&, const std::vector<agent_terminal>&) override {}
  void terminal_output(const terminal_id& terminal, std::uint64_t, shared_bytes data) override {
    std::uint64_t total = 0;
    {
      const std::lock_guard lock{mutex};
      total = bytes[terminal] += data->size();
      ++chunks;
      changed.notify_all();
    }
    if (total - told_[terminal] > 1 << 20) link->durable(terminal, told_[terminal] = total);
  }
  void terminal_ended(const terminal_id& terminal, const terminal_end&) override {
    const std::lock_guard lock{mutex};
    ended[terminal] = true;
    changed.notify_all();
  }
  void terminal_missing(const terminal_id&, const host_error& why, std::uint64_t) override {
    std::puts(why.message.c_str());
  }
  void stats_seen(const environment_id&, const environment_stats&) override {}
  void gateway_connection(const environment_id&, int fd) override { ::close(fd); }
  void agent_over(const environment_id&, const incarnation&, bool, const host_error& why) override {
    std::printf("agent over: %s\n", why.message.c_str());
  }
  template <class Condition>
  bool until(Condition so) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, std::chrono::seconds{60}, so);
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<terminal_id, std::uint64_t> bytes;
  std::map<terminal_id, bool> ended;
  std::uint64_t chunks = 0;
  std::shared_ptr<agent_link> link;

 private:
  std::map<terminal_id, std::uint64_t> told_;
};

struct agent_child {
  agent_child() {
    std::filesystem::create_directory(directory / "state");
    const auto program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "berth-agent").string();
    const auto user =
        "bench:" + std::to_string(::getuid()) + ":" + std::to_string(::getgid()) + ":/tmp:/bin/sh";
    int ready[2];
    if (::pipe(ready) != 0) std::abort();
    pid = ::fork();
    if (pid == 0) {
      ::execl(program.c_str(), "berth-agent", "--environment", "env_bench", "--incarnation", "one",
              "--listen", (directory / "s").c_str(), "--state", (directory / "state").c_str(),
              "--gateway-port", "0", "--gateway-socket", "", "--user", user.c_str(), "--ready-fd",
              std::to_string(ready[1]).c_str(), nullptr);
      ::_exit(1);
    }
    char answer = 0;
    if (::read(ready[0], &answer, 1) != 1) std::abort();
  }
  ~agent_child() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  testing::temporary_folder directory{std::filesystem::temp_directory_path()};
  pid_t pid = -1;
};

void open(counter& counts, const terminal_id& id, const char* script) {
  terminal_spec spec;
  spec.id = id;
  spec.command = {"/bin/sh", "-c", script};
  counts.link->open_terminal(spec, [](host_result<terminal_started> result) {
    if (!result) std::printf("open: %s\n", result.error().message.c_str());
  });
  counts.link->follow(id, 0);
}

void row(const char* what, std::vector<double>& us) {
  std::sort(us.begin(), us.end());
  const auto at = [&](double part) {
    return us[static_cast<std::size_t>(part * static_cast<double>(us.size() - 1))];
  };
  std::printf("%-46s p50 %7.1f us  p95 %7.1f us  p99 %7.1f us  max %8.1f us\n", what, at(0.5),
              at(0.95), at(0.99), us.back());
}

std::vector<double> echo_times(counter& counts, const terminal_id& id, int rounds) {
  std::vector<double> us;
  input_stream_id stream;
  stream.bytes[0] = static_cast<std::uint8_t>(rounds);
  std::copy(id.value.begin(), id.value.begin() + std::min<std::size_t>(id.value.size(), 12),
            stream.bytes.begin() + 1);
  for (int i = 1; i <= rounds; ++i) {
    const auto before = counts.bytes[id];
    const auto began = clock_type::now();
    counts.link->input(id, stream, static_cast<std::uint64_t>(i), "x",
                       [](host_result<input_outcome>) {});
    if (!counts.until([&] { return counts.bytes[id] > before; })) return us;
    us.push_back(us_since(began));
    ::usleep(500);
  }
  return us;
}

double pty_alone_mb_s(const char* script, std::size_t total) {
  int master = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  const pid_t child = ::forkpty(&master, nullptr, &raw, nullptr);
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", script, nullptr);
    ::_exit(1);
  }
  std::vector<char> buffer(65536);
  std::size_t got = 0;
  auto began = clock_type::now();
  while (got < total) {
    const auto n = ::read(master, buffer.data(), buffer.size());
    if (n <= 0) break;
    if (got == 0) began = clock_type::now();
    got += static_cast<std::size_t>(n);
  }
  const auto us = us_since(began);
  ::close(master);
  ::waitpid(child, nullptr, 0);
  return static_cast<double>(got) / us;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t total = (argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 300) * 1'000'000;
  const auto script = "stty raw -echo; head -c " + std::to_string(total) + " /dev/zero";
  agent_child child;
  agent_reactor reactor;
  counter counts;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0));
  counts.link = agent_link::make(
      reactor,
      {child.directory / "s", unique_fd{pidfd}, environment_id{"env_bench"}, incarnation{"one"}, 1},
      counts);

  const terminal_id echo{"term_echo"};
  open(counts, echo, "stty raw echo; exec sleep 600");
  ::usleep(200'000);
  auto kernel_echo = echo_times(counts, echo, 2000);
  row("echo by the terminal's line discipline", kernel_echo);
  const terminal_id cat{"term_cat"};
  open(counts, cat, "stty raw -echo; exec cat");
  ::usleep(200'000);
  auto program_echo = echo_times(counts, cat, 2000);
  row("echo by a program (cat)", program_echo);

  for (int round = 0; round < 3; ++round) {
    const terminal_id bulk{"term_bulk" + std::to_string(round)};
    counts.chunks = 0;
    const auto began = clock_type::now();
    open(counts, bulk, script.c_str());
    counts.until([&] { return counts.ended[bulk]; });
    const auto us = us_since(began);
    std::printf(
        "%-46s %7.1f MB/s  (%lu bytes, %.1f KiB a chunk)\n", "bulk through agent and link",
        static_cast<double>(counts.bytes[bulk]) / us,
        static_cast<unsigned long>(counts.bytes[bulk]),
        static_cast<double>(counts.bytes[bulk]) / 1024 / static_cast<double>(counts.chunks));
    std::printf("%-46s %7.1f MB/s\n", "the same PTY read by a bare loop",
                pty_alone_mb_s(script.c_str(), total));
  }

  const terminal_id flood{"term_flood"};
  open(counts, flood, "exec yes");
  ::usleep(300'000);
  counts.link->pace(flood, 0);
  ::usleep(100'000);
  counts.link->pace(flood, std::nullopt);
  input_stream_id other;
  auto busy = echo_times(counts, cat, 501);
  if (!busy.empty()) row("echo by cat while another terminal floods", busy);
  counts.link->detach();
}
