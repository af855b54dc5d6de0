// The bounds every journal engine keeps, named once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace berth {

// A sealed record fits into one Kafka message of the broker's default size with its headers.
inline constexpr std::size_t commit_bytes_max = 960 * 1024;

struct journal_limits {
  std::size_t queue_commits_max = 50'000;  // appended, not durable yet; beyond: overloaded
  std::size_t queue_bytes_max = 64 << 20;
  std::chrono::hours deduplication_window{24};  // by commit time (J8)
};

}  // namespace berth
