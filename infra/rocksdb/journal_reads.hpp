// The reading half of a journal's partition, over its records (log/ of the embedded engine), state/
// and the part of the records that state/ does not index yet (none of a replica).
//
//   log     1 ............ indexed ............. durable
//           state/ knows   |<- tail, in memory ->|
//
// Any thread. Used by the server's journal and by tools beside it.
#pragma once

#include <atomic>
#include <functional>
#include <shared_mutex>

#include "infra/memory/commit_index.hpp"
#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/record_source.hpp"
#include "infra/rocksdb/state_store.hpp"

namespace berth {

class journal_reads {
 public:
  // `damaged` is told when a row of state/ cannot be read: it must be rebuilt from the log.
  journal_reads(const embedded_options& options, const record_source& log, const state_store& state,
                position indexed, timestamp last_time,
                std::function<void(const journal_error&)> damaged);

  // --- the tail: written by the writer (publish) and the index writer (unindexed, drop_indexed)
  // ---
  void publish(std::vector<indexed_commit>&& group, timestamp time);
  // The same for commits that state/ indexes already.
  void publish_indexed(std::size_t count, timestamp time);
  // At most `limit` of the oldest commits of the tail; they stay valid until they are dropped.
  std::vector<const indexed_commit*> unindexed(std::size_t limit) const;
  void drop_indexed(std::size_t count);
  std::size_t lag_commits() const { return lag_commits_.load(std::memory_order_relaxed); }
  std::size_t lag_bytes() const { return lag_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t durable() const;
  std::uint64_t indexed() const;

  // --- journal.hpp ---
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const;
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const;
  std::optional<recorded_command> find_command(const account_id& scope, const command_id& id) const;
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most) const;
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const;

 private:
  journal_result<commit> commit_at(std::uint64_t offset) const;
  std::optional<std::uint64_t> offset_of(const command_key& command, timestamp& oldest) const;
  void check_state(const journal_error& error) const;

  const clock& time_;
  const std::chrono::hours window_;
  const record_source& log_;
  const state_store& state_;
  const std::function<void(const journal_error&)> damaged_;
  const std::uint32_t partition_;

  mutable std::shared_mutex mutex_;
  commit_index tail_;
  std::uint64_t indexed_;
  std::uint64_t durable_;
  timestamp last_time_;
  std::atomic<std::size_t> lag_commits_{};
  std::atomic<std::size_t> lag_bytes_{};
};

}  // namespace berth
