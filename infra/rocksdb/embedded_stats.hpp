// What the embedded engine did and how long it took, for metrics. Counters are read without
// stopping the writer.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>

namespace berth {

// Bucket n counts durations below 2^n microseconds and not below 2^(n-1).
struct latency_snapshot {
  static constexpr std::size_t buckets = 26;
  std::array<std::uint64_t, buckets> counts{};
  std::uint64_t count{};
  std::uint64_t sum_us{};
};

class latency_histogram {
 public:
  void add(std::chrono::nanoseconds duration) {
    const auto us = static_cast<std::uint64_t>(duration.count()) / 1'000;
    const auto bucket = std::min<std::size_t>(std::bit_width(us), latency_snapshot::buckets - 1);
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(us, std::memory_order_relaxed);
  }
  latency_snapshot read() const {
    latency_snapshot now;
    for (std::size_t i = 0; i < latency_snapshot::buckets; ++i)
      now.count += now.counts[i] = counts_[i].load(std::memory_order_relaxed);
    now.sum_us = sum_us_.load(std::memory_order_relaxed);
    return now;
  }

 private:
  std::array<std::atomic<std::uint64_t>, latency_snapshot::buckets> counts_{};
  std::atomic<std::uint64_t> sum_us_{};
};

// Counted by the writer thread.
struct write_counters {
  std::atomic<std::uint64_t> commits_total{};
  std::atomic<std::uint64_t> groups_total{};
  std::atomic<std::uint64_t> bytes_total{};
  latency_histogram sync;
};

struct embedded_stats {
  std::uint64_t commits_total{};  // since the start of the process
  std::uint64_t groups_total{};   // synced writes
  std::uint64_t bytes_total{};    // of records
  latency_snapshot sync;          // one synced write
  std::uint64_t queue_commits{};
  std::uint64_t queue_bytes{};
  std::uint64_t index_lag_commits{};
  std::uint64_t index_lag_bytes{};
  std::uint64_t durable_offset{};
};

// Held in memory, within the bounds of embedded_options.
struct memory_use {
  std::uint64_t memtable_bytes{};     // written and not flushed to tables yet
  std::uint64_t block_cache_bytes{};  // of tables read lately
};

}  // namespace berth
