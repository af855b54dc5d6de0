// The embedded journal: one writer thread with natural group commit.
//
//   append ──queue──> writer: seal, one synced write of all that queued during the last one,
//                     head file, publish to readers, completions, followers
//                        └──> index writer: stream index and deduplication in state/, behind the
//                        durable head
//
// Specification: events/core/journal.hpp.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "events/core/journal.hpp"
#include "infra/memory/followers.hpp"
#include "infra/rocksdb/embedded_stats.hpp"
#include "infra/rocksdb/head_file.hpp"
#include "infra/rocksdb/index_writer.hpp"
#include "infra/rocksdb/journal_reads.hpp"
#include "infra/rocksdb/log_store.hpp"
#include "infra/rocksdb/recovery.hpp"

namespace berth {

class rocksdb_journal : public journal {
 public:
  // `log`, `state` and the clock in `options` outlive the journal.
  rocksdb_journal(const embedded_options& options, log_store& log, state_store& state,
                  head_file head, recovered_log&& recovered, const leadership& lead);
  // Writes and completes what is queued, then brings the index up to the head.
  ~rocksdb_journal() override;

  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener) override;
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override;
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override;
  position head(std::uint32_t partition = 0) const override;
  std::uint32_t partitions() const override { return 1; }
  std::string cursor_tag() const override { return options_.cursor_tag; }
  std::shared_ptr<void> follow(std::function<void(position head)> wake) override;
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override;
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most = {}) const override;
  void save_snapshot(const snapshot& taken) override;
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override;

  embedded_stats stats() const;
  void scrub(const read_pace& pace, const std::function<void(const journal_error&)>& found);

 private:
  struct queued_commit {
    std::string body_bytes;
    indexed_commit index;  // its time is set by the writer
    std::uint64_t ticket{};
    std::shared_ptr<append_listener> listener;
  };
  struct known_stream {
    stream_version last;
    std::uint64_t offset{};  // of its last appended commit; queued or durable
  };

  std::optional<journal_error> refuse_load() const;
  std::optional<journal_error> last_version(const stream_id& stream,
                                            std::unique_lock<std::mutex>& lock,
                                            known_stream*& known);
  void forget_some_stream();
  void write_loop();
  std::vector<queued_commit> take_group();
  bool write_group(std::vector<queued_commit>& group);
  void fail(const journal_error& why, std::vector<queued_commit>& group);
  void die(const journal_error& why);

  const embedded_options options_;
  log_store& log_;
  state_store& state_;
  head_file head_;
  const leadership lead_;

  mutable std::mutex mutex_;  // guards the queue and the versions
  std::condition_variable work_;
  std::deque<queued_commit> queue_;
  std::size_t queue_bytes_{};
  std::uint64_t last_queued_;
  std::unordered_map<stream_id, known_stream> known_;
  std::size_t forget_cursor_{};
  std::uint64_t forgotten_{};
  bool closed_{};
  std::string closed_why_{"journal is closing"};
  std::once_flag died_;

  chain_hash last_hash_;  // writer thread only, like last_time_
  timestamp last_time_;
  write_counters counters_;

  journal_reads reads_;
  followers followers_;
  index_writer index_writer_;
  std::thread writer_;
};

}  // namespace berth
