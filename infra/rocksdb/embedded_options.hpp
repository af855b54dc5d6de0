// Everything that can be set about the embedded engine, every bound named. No RocksDB types: the
// composition root includes this.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "actors/ports/clock.hpp"
#include "events/core/journal_error.hpp"
#include "infra/memory/journal_limits.hpp"

namespace rocksdb {
class Env;
}

namespace berth {

struct embedded_options {
  std::filesystem::path data_dir;  // holds LOCK, head, log/, state/
  const clock* time{};             // nothing = the machine's clock; must outlive the engine

  // journal::cursor_tag: of a log that was made of another one.
  std::string cursor_tag;

  // Which start of the machine this is; empty = asked of the machine. What state/ did not sync
  // before another one is dropped.
  std::string boot;

  // Called once, on an engine thread, after everything queued was completed `unknown_outcome` (J6),
  // or when state/ cannot be trusted any more. Must end the process; nothing is written after it.
  // Nothing = abort.
  std::function<void(const journal_error&)> on_fatal;
  // Told while a start replays or rebuilds: what, done, of. May be empty.
  std::function<void(const std::string& what, std::uint64_t done, std::uint64_t of)> on_progress;

  // What the storage library calls an error, in its words; on any thread. May be empty. Its
  // warnings are not news: a torn last write is recovered without a word.
  std::function<void(const std::string&)> on_storage_error;

  journal_limits limits;
  std::size_t group_commits_max = 2'000;  // one synced write
  std::size_t group_bytes_max = 1 << 20;
  std::size_t index_lag_commits_max = 100'000;  // durable, not in state/ yet; beyond: overloaded
  std::size_t index_lag_bytes_max = 64 << 20;
  std::size_t index_group_commits_max = 8'192;
  std::chrono::milliseconds index_interval_ms{50};
  std::size_t known_streams_max = 262'144;  // next versions kept in memory

  std::size_t log_write_buffer_bytes = 8 << 20;  // what a crash makes the next start replay
  std::size_t state_write_buffer_bytes = 16 << 20;
  std::size_t block_cache_bytes = 64 << 20;
  int open_files_max = 512;  // of each database

  rocksdb::Env* env{};  // tests put a failing disk here

  std::filesystem::path log_dir() const { return data_dir / "log"; }
  std::filesystem::path state_dir() const { return data_dir / "state"; }
  std::filesystem::path head_path() const { return data_dir / "head"; }
  std::filesystem::path boot_path() const { return data_dir / "boot"; }
  std::filesystem::path lock_path() const { return data_dir / "LOCK"; }
  std::filesystem::path state_damaged_path() const { return data_dir / "state.damaged"; }
};

// The same with the machine's clock and boot id if none was given.
embedded_options with_clock(embedded_options options);

}  // namespace berth
