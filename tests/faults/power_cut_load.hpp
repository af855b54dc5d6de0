// What runs on an embedded data directory while its power is cut, and the check of what is left.
//
//   6 streams, appended by 2 threads      versions 1, 2, 3 …: the body follows from (stream,
//   version) a view and snapshots, by 1 thread     row of a stream = its last version 2 terminals'
//   bytes, by 1 thread       the byte follows from (terminal, offset); one is trimmed
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"

namespace berth::testing {

constexpr std::size_t load_streams = 6;
constexpr std::size_t load_terminals = 2;
constexpr std::size_t trimmed_terminal = 1;

// What somebody was told: must be there after any power cut from then on.
struct promises {
  std::array<std::uint64_t, load_streams> versions{};
  std::array<std::uint64_t, load_terminals> durable{};
};

struct opened_storage {
  std::unique_ptr<embedded_engine> engine;
  std::unique_ptr<bulk_log> bulk;
};

class power_cut_load {
 public:
  power_cut_load(opened_storage& on, std::uint64_t seed, const promises& before);
  // Stops all threads; what was asked is answered first.
  ~power_cut_load();
  promises made() const;
  std::string problem() const;  // empty: none

 private:
  class listener;
  void append_loop(std::size_t first_stream);
  void fold_loop();
  void output_loop();

  opened_storage& on_;
  const std::uint64_t seed_;
  std::atomic<bool> stopping_{};
  std::shared_ptr<listener> told_;
  std::vector<std::thread> threads_;
};

// Compares all there is with what was promised. Empty: it holds.
std::string broken_promise(opened_storage& left, const promises& made);

}  // namespace berth::testing
