#include "tests/fuzz/quiet_processes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "infra/agent/program/dialer.hpp"
#include "infra/agent/program/spawn.hpp"

namespace berth::fuzz {

std::vector<quiet_start>& quiet_starts() {
  static std::vector<quiet_start> starts;
  return starts;
}

}  // namespace berth::fuzz

namespace berth::agent {
namespace {
constexpr pid_t first_pid = 0x3f000000;  // PID_MAX_LIMIT is 2^22
}

spawner::spawner(const options& options) : options_{options} {}

std::optional<user_record> spawner::user_for(const std::string& name) const {
  if (name == "nobody") return std::nullopt;
  return user_record{name.empty() ? "dev" : name, ::geteuid(), ::getegid(), "/", "/bin/sh"};
}

std::optional<spawned> spawner::start(const workload& what, std::string& problem) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    problem = "no pipe";
    return std::nullopt;
  }
  unique_fd reader{ends[0]};
  const unique_fd writer{ends[1]};
  if (!what.command.empty() && what.command.front().starts_with("no"))
    (void)!::write(writer.get(), "cannot run", 10);
  auto& starts = fuzz::quiet_starts();
  const auto pid = first_pid + static_cast<pid_t>(starts.size());
  starts.push_back({pid, what.controlling_terminal});
  return spawned{pid, std::move(reader)};
}

std::optional<std::string> read_spawn_status(int fd) {
  char text[64];
  const auto got = ::read(fd, text, sizeof text);
  return std::string{text, got > 0 ? static_cast<std::size_t>(got) : 0};
}

void dialer::dial(std::uint16_t port, answer done) {
  if (port % 2 == 0) return done({}, "nothing listens");
  done(unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)}, {});
}

}  // namespace berth::agent
