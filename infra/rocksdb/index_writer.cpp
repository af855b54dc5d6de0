#include "infra/rocksdb/index_writer.hpp"

#include "events/core/commit.hpp"

namespace berth {
namespace {

constexpr std::size_t snapshots_max = 4'096;  // taken and not saved yet

}  // namespace

index_writer::index_writer(const embedded_options& options, const log_store& log,
                           state_store& state, journal_reads& reads,
                           std::function<void(const journal_error&)> failed)
    : options_{options}, log_{log}, state_{state}, reads_{reads}, failed_{std::move(failed)} {
  thread_ = std::thread{[this] { run(); }};
}

index_writer::~index_writer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void index_writer::wake() {
  const bool full = reads_.lag_commits() >= options_.index_group_commits_max;
  const std::lock_guard lock{mutex_};
  if (has_work_ && (is_full_ || !full)) return;
  has_work_ = true;
  is_full_ = full;
  changed_.notify_one();
}

void index_writer::save(snapshot taken) {
  const std::lock_guard lock{mutex_};
  // The oldest is of least use: without it a start or a look at the past only takes longer.
  if (snapshots_.size() == snapshots_max) snapshots_.pop_front();
  snapshots_.push_back(std::move(taken));
  if (std::exchange(has_work_, true)) return;
  changed_.notify_one();
}

void index_writer::save_snapshots() {
  std::unique_lock lock{mutex_};
  while (!snapshots_.empty()) {
    const auto taken = std::move(snapshots_.front());
    snapshots_.pop_front();
    lock.unlock();
    // What cannot be saved is only a slower start.
    state_.save(taken);
    lock.lock();
  }
}

void index_writer::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [&] { return has_work_ || stopping_; });
    // More commits in one write make fewer rows; a reader never waits for the index.
    if (!stopping_)
      changed_.wait_for(lock, options_.index_interval_ms, [&] { return is_full_ || stopping_; });
    const bool last = stopping_;
    has_work_ = is_full_ = false;
    lock.unlock();
    save_snapshots();
    bool ok = true;
    while (ok && reads_.lag_commits() > 0) {
      ok = index_group();
      if (!last && reads_.lag_commits() < options_.index_group_commits_max) break;
    }
    lock.lock();
    if (last || !ok) return;
    if (reads_.lag_commits() > 0) has_work_ = true;
  }
}

bool index_writer::index_group() {
  const auto group = reads_.unindexed(options_.index_group_commits_max);
  const auto offset = group.back()->place.offset;
  // Read back, so that the mark is of what the log holds.
  auto failed = [&]() -> std::optional<journal_error> {
    const auto record = log_.read(offset);
    if (record.has_error()) return record.error();
    const auto opened = open_record(record->ToStringView(), {0, offset});
    if (opened.has_error()) return opened.error();
    return state_.index(group, {offset, opened->hash});
  }();
  if (failed) {
    failed_(*failed);
    return false;
  }
  state_.set_oldest_command(group.back()->time - options_.limits.deduplication_window);
  reads_.drop_indexed(group.size());
  return true;
}

}  // namespace berth
