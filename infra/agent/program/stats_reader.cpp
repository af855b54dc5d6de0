#include "infra/agent/program/stats_reader.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "infra/agent/protocol/unique_fd.hpp"

namespace berth::agent {
namespace {

std::string read_all(int fd) {
  char text[4096];
  const auto got = ::pread(fd, text, sizeof text - 1, 0);
  return got > 0 ? std::string{text, static_cast<std::size_t>(got)} : std::string{};
}

std::uint64_t number_in(int fd) {
  return std::strtoull(read_all(fd).c_str(), nullptr, 10);
}

// cgroup v1 cpuacct.usage is nanoseconds; v2 cpu.stat has a line `usage_usec N`.
std::uint64_t cpu_us_in(int fd) {
  const auto text = read_all(fd);
  constexpr std::string_view key = "usage_usec ";
  const auto at = text.find(key);
  if (at != std::string::npos) return std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
  return std::strtoull(text.c_str(), nullptr, 10) / 1000;
}

// utime, stime (ticks) and rss (pages) follow the command's name, which may hold anything but ends
// at the last ')'.
void add_process(const std::string& stat, wire::StatsT& stats) {
  const auto close = stat.rfind(')');
  unsigned long utime = 0;
  unsigned long stime = 0;
  long rss = 0;
  if (close == std::string::npos || std::sscanf(stat.c_str() + close + 1,
                                                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu "
                                                "%lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
                                                &utime, &stime, &rss) != 3)
    return;
  stats.cpu_us += (utime + stime) * 1'000'000 / static_cast<unsigned long>(::sysconf(_SC_CLK_TCK));
  stats.memory_bytes +=
      static_cast<std::uint64_t>(rss) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ++stats.pids;
}

void sum_processes(wire::StatsT& stats) {
  const std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })> proc{::opendir("/proc")};
  if (!proc) return;
  while (const auto* entry = ::readdir(proc.get())) {
    if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    const unique_fd fd{::openat(::dirfd(proc.get()), (std::string{entry->d_name} + "/stat").c_str(),
                                O_RDONLY | O_CLOEXEC)};
    if (fd) add_process(read_all(fd.get()), stats);
  }
}

}  // namespace

wire::StatsT read_stats(const options& options) {
  wire::StatsT stats;
  if (options.stat_cpu_fd < 0 && options.stat_memory_fd < 0 && options.stat_pids_fd < 0)
    sum_processes(stats);
  if (options.stat_cpu_fd >= 0) stats.cpu_us = cpu_us_in(options.stat_cpu_fd);
  if (options.stat_memory_fd >= 0) stats.memory_bytes = number_in(options.stat_memory_fd);
  if (options.stat_pids_fd >= 0)
    stats.pids = static_cast<std::uint32_t>(number_in(options.stat_pids_fd));
  struct statvfs disk {};
  if (::statvfs("/", &disk) == 0) stats.disk_bytes = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
  return stats;
}

}  // namespace berth::agent
