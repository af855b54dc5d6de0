// The thread that brings state/ up to the durable head, many commits a write: one row a stream and
// write, not one a commit.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/journal_reads.hpp"
#include "infra/rocksdb/log_store.hpp"

namespace berth {

class index_writer {
 public:
  // `failed` is called once, on this thread, if state/ cannot be written; nothing is indexed after
  // it.
  index_writer(const embedded_options& options, const log_store& log, state_store& state,
               journal_reads& reads, std::function<void(const journal_error&)> failed);
  // Indexes what is durable, then ends.
  ~index_writer();
  index_writer(const index_writer&) = delete;
  index_writer& operator=(const index_writer&) = delete;

  // The durable head moved. Any thread.
  void wake();
  // Saved a little later, so that no actor waits for a write of state/. Any thread.
  void save(snapshot taken);

 private:
  void run();
  bool index_group();
  void save_snapshots();

  const embedded_options& options_;
  const log_store& log_;
  state_store& state_;
  journal_reads& reads_;
  const std::function<void(const journal_error&)> failed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<snapshot> snapshots_;
  bool has_work_{};
  bool is_full_{};
  bool stopping_{};
  std::thread thread_;
};

}  // namespace berth
