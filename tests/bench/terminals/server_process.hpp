// What the server's processes cost, read from /proc: berthd and, by its descendants, its agents.
#pragma once

#include <cstdint>

namespace berth::bench {

struct cpu_use {
  double seconds{};       // of berthd and the agents, without the threads that are nice
  double idle_seconds{};  // of berthd's threads with a niceness: compression, scrub
};

class server_process {
 public:
  explicit server_process(int pid) : pid_{pid} {}
  std::uint64_t resident_kib() const;         // of berthd
  std::uint64_t agents_resident_kib() const;  // of every berth-agent
  std::uint64_t threads() const;              // of berthd
  cpu_use cpu() const;

 private:
  int pid_;
};

}  // namespace berth::bench
