// SIGKILLs a server (killed_server.hpp) at random moments, starts the next one on what is left, and
// compares with what was heard on the pipe.
//   berth_kills --kills N [--seed S]
#include <csignal>
#include <cstdio>
#include <random>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/faults/killed_server.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace berth::testing;
namespace fs = std::filesystem;
using steady = std::chrono::steady_clock;

constexpr unsigned kills_per_directory = 100;
constexpr auto silent_max = std::chrono::seconds{120};  // on a machine that is busy

struct child {
  pid_t pid{};
  int output{};
};

child start(const char* program, const fs::path& base, std::uint64_t id_time_ms, bool last) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const auto pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    const auto time = std::to_string(id_time_ms);
    ::execl(program, program, "--child", base.c_str(), "--id-time-ms", time.c_str(),
            last ? "--last" : nullptr, nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

struct life {
  bool was_ready{};
  std::string broken;
};

// Hears the child out until it ends; kills it at `after` behind its start, or behind its readiness.
life hear(const child& of, heard& all, std::chrono::microseconds after, bool from_ready,
          bool kill) {
  life seen;
  std::string text;
  auto deadline = steady::now() + (from_ready || !kill ? silent_max : after);
  bool killed = false;
  const auto take_lines = [&] {
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      const auto line = text.substr(0, end);
      if (line == "ready") {
        if (from_ready && kill && !killed) deadline = steady::now() + after;
        seen.was_ready = true;
      } else if (line.starts_with("X ")) {
        seen.broken = line.substr(2);
      } else {
        all.take(line);
      }
    }
  };
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - steady::now());
    timespec wait{left.count() / 1'000'000, left.count() % 1'000'000 * 1'000};
    pollfd readable{of.output, POLLIN, 0};
    const bool due = left.count() <= 0 && !killed;
    if (!due && ::ppoll(&readable, 1, killed ? nullptr : &wait, nullptr) == 0) continue;
    if (due) {
      if (!kill || (from_ready && !seen.was_ready)) seen.broken = "silent for 120 s";
      ::kill(of.pid, SIGKILL);
      killed = true;
      continue;
    }
    char bytes[65'536];
    const auto got = ::read(of.output, bytes, sizeof bytes);
    if (got <= 0) break;
    text.append(bytes, static_cast<std::size_t>(got));
    take_lines();
  }
  ::close(of.output);
  int status = 0;
  ::waitpid(of.pid, &status, 0);
  const bool by_us = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (seen.broken.empty() && !by_us && (kill || status != 0))
    seen.broken = "ended by itself, status " + std::to_string(status);
  return seen;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned kills = 200, seed = std::random_device{}() % 1'000'000;
  std::uint64_t id_time_ms = 0;
  std::string child_dir;
  bool last = false;
  CLI::App app{"SIGKILL of the kernel, the journal, the views and the bulk log, again and again"};
  app.add_option("--kills", kills);
  app.add_option("--seed", seed);
  app.add_option("--child", child_dir)->group("");
  app.add_option("--id-time-ms", id_time_ms)->group("");
  app.add_flag("--last", last)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!child_dir.empty())
    return run_killed_server(fs::path{child_dir} / "data",
                             heard::read(fs::path{child_dir} / "heard"), id_time_ms, last);
  const auto base = berth::testing::fast_storage() / ("berth-kills-" + std::to_string(::getpid()));
  const auto program = fs::read_symlink("/proc/self/exe").string();
  std::mt19937 random{seed};
  std::uint64_t acknowledged = 0, before_ready = 0, output = 0;
  std::string broken;
  unsigned done = 0;
  while (done < kills && broken.empty()) {
    fs::remove_all(base);
    fs::create_directories(base);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto time = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    heard all;
    for (unsigned number = 0; number < kills_per_directory && done < kills && broken.empty();
         ++number, ++done) {
      all.write(base / "heard");
      const bool from_ready = random() % 4 != 0;
      const std::chrono::microseconds after{random() % (from_ready ? 25'000 : 30'000)};
      const auto seen =
          hear(start(program.c_str(), base, time, false), all, after, from_ready, true);
      before_ready += !seen.was_ready;
      broken = seen.broken;
    }
    all.write(base / "heard");
    if (broken.empty())
      broken = hear(start(program.c_str(), base, time, true), all, {}, true, false).broken;
    acknowledged += all.acknowledged;
    for (const auto durable : all.durable) output += durable;
  }
  if (!broken.empty())
    fmt::print(stderr, "after kill {}: {}\nthe directory as it was left: {}\n", done, broken,
               (base / "data").string());
  else
    fs::remove_all(base);
  fmt::print(
      "{} SIGKILLs from seed {} ({} before the server was ready): {} commands and {} bytes of "
      "output were acknowledged, {} broken promises\n",
      done, seed, before_ready, acknowledged, output, broken.empty() ? 0 : 1);
  return broken.empty() ? 0 : 1;
}
