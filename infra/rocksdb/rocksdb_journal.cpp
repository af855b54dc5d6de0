#include "infra/rocksdb/rocksdb_journal.hpp"

#include <algorithm>
#include <fstream>

#include <rocksdb/write_batch.h>

#include "events/core/invariant.hpp"
#include "infra/memory/commit_record.hpp"
#include "infra/memory/completions.hpp"
#include "infra/rocksdb/scrub.hpp"

namespace berth {
namespace {

constexpr std::size_t forget_probes_max = 64;  // buckets looked at to forget one stream

}  // namespace

rocksdb_journal::rocksdb_journal(const embedded_options& options, log_store& log,
                                 state_store& state, head_file head, recovered_log&& recovered,
                                 const leadership& lead)
    : options_{options},
      log_{log},
      state_{state},
      head_{std::move(head)},
      lead_{lead},
      last_queued_{recovered.end.offset},
      last_hash_{recovered.end.hash},
      last_time_{recovered.last_time},
      reads_{options_,
             log_,
             state_,
             {0, recovered.end.offset - recovered.unindexed.size()},
             recovered.last_time,
             [this](const journal_error& why) { die(why); }},
      index_writer_{options_, log_, state_, reads_,
                    [this](const journal_error& why) { die(why); }} {
  if (!recovered.unindexed.empty()) {
    for (const auto& each : recovered.unindexed)
      known_[each.stream] = {each.place.last, each.place.offset};
    reads_.publish(std::move(recovered.unindexed), recovered.last_time);
    index_writer_.wake();
  }
  writer_ = std::thread{[this] { write_loop(); }};
}

rocksdb_journal::~rocksdb_journal() {
  {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  work_.notify_one();
  writer_.join();
}

std::optional<journal_error> rocksdb_journal::refuse_load() const {
  if (closed_) return journal_error{journal_errc::closed, closed_why_, std::nullopt};
  if (queue_.size() >= options_.limits.queue_commits_max ||
      queue_bytes_ >= options_.limits.queue_bytes_max)
    return journal_error{
        journal_errc::overloaded,
        "journal: " + std::to_string(queue_.size()) + " commits wait to be written", std::nullopt};
  if (reads_.lag_commits() >= options_.index_lag_commits_max ||
      reads_.lag_bytes() >= options_.index_lag_bytes_max)
    return journal_error{
        journal_errc::overloaded,
        "journal: " + std::to_string(reads_.lag_commits()) + " commits wait to be indexed",
        std::nullopt};
  return std::nullopt;
}

std::optional<journal_error> rocksdb_journal::last_version(const stream_id& stream,
                                                           std::unique_lock<std::mutex>& lock,
                                                           known_stream*& known) {
  for (;;) {
    if (const auto found = known_.find(stream); found != known_.end()) {
      known = &found->second;
      return std::nullopt;
    }
    // A stream that is not known has no commit behind the index, so state/ has its last version;
    // unless another thread made it known and it was forgotten again while the lock was open.
    const auto forgotten = forgotten_;
    lock.unlock();
    const auto stored = state_.last_of(stream);
    if (stored.has_error()) die(stored.error());
    lock.lock();
    if (stored.has_error()) return stored.error();
    if (auto refused = refuse_load()) return refused;
    if (forgotten != forgotten_) continue;
    if (known_.size() >= options_.known_streams_max) forget_some_stream();
    const auto last = stored->value_or(stream_place{});
    known = &known_.try_emplace(stream, known_stream{last.last, last.offset}).first->second;
    return std::nullopt;
  }
}

void rocksdb_journal::forget_some_stream() {
  const auto indexed = reads_.indexed();
  for (std::size_t probe = 0; probe < forget_probes_max; ++probe) {
    const auto bucket = forget_cursor_++ % known_.bucket_count();
    for (auto at = known_.begin(bucket); at != known_.end(bucket); ++at) {
      if (at->second.offset > indexed) continue;
      known_.erase(stream_id{at->first});
      ++forgotten_;
      return;
    }
  }
}

std::optional<journal_error> rocksdb_journal::append(const commit_body& body, std::uint64_t ticket,
                                                     std::shared_ptr<append_listener> listener) {
  BERTH_ASSERT(body.stream.key.find('\0') == std::string::npos);
  queued_commit added{encode_body(body),
                      {body.stream, {body.last(), 0}, {body.by.account, body.command}, {}, 0},
                      ticket,
                      std::move(listener)};
  const auto bytes = added.index.bytes = commit_envelope::size + added.body_bytes.size();
  if (bytes > commit_bytes_max) return too_large_of(body, bytes);
  bool was_idle;
  {
    std::unique_lock lock{mutex_};
    if (auto refused = refuse_load()) return refused;
    known_stream* known = nullptr;
    if (auto failed = last_version(body.stream, lock, known)) return failed;
    if (body.first.value != known->last.value + 1)
      return conflict_of(body, {known->last.value + 1});
    added.index.place.offset = ++last_queued_;
    *known = {body.last(), last_queued_};
    queue_bytes_ += bytes;
    was_idle = queue_.empty();
    queue_.push_back(std::move(added));
  }
  if (was_idle) work_.notify_one();
  return std::nullopt;
}

void rocksdb_journal::write_loop() {
  for (;;) {
    auto group = take_group();
    if (group.empty() || !write_group(group)) return;
  }
}

std::vector<rocksdb_journal::queued_commit> rocksdb_journal::take_group() {
  std::unique_lock lock{mutex_};
  work_.wait(lock, [&] { return !queue_.empty() || closed_; });
  std::vector<queued_commit> group;
  group.reserve(std::min(queue_.size(), options_.group_commits_max));
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < options_.group_commits_max &&
         bytes < options_.group_bytes_max) {
    bytes += queue_.front().index.bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
  return group;
}

bool rocksdb_journal::write_group(std::vector<queued_commit>& group) {
  rocksdb::WriteBatch batch;
  std::vector<indexed_commit> indexed;
  completions completed;
  indexed.reserve(group.size());
  std::size_t bytes = 0;
  const auto time = std::max(options_.time->now(), last_time_);
  auto hash = last_hash_;
  for (auto& next : group) {
    const auto offset = next.index.place.offset;
    auto record = seal({0, lead_.epoch, lead_.nonce, offset, time, hash}, next.body_bytes);
    log_.add(batch, offset, record.bytes);
    hash = record.hash;
    bytes += record.bytes.size();
    next.index.time = time;
  }
  const auto began = std::chrono::steady_clock::now();
  const auto status = log_.append(batch);
  counters_.sync.add(std::chrono::steady_clock::now() - began);
  const auto last = group.back().index.place.offset;
  if (!status.ok()) {
    fail(error_of(status,
                  options_.log_dir().string() + " partition 0 offset " + std::to_string(last)),
         group);
    return false;
  }
  last_hash_ = hash;
  last_time_ = time;
  // Should it fail, the next start has an older proof than it could have; the log itself is safe.
  head_.write({last, hash});
  for (auto& next : group) {
    completed.add(std::move(next.listener),
                  {next.ticket, next.index.place.last, {0, next.index.place.offset}, std::nullopt});
    indexed.push_back(std::move(next.index));
  }
  reads_.publish(std::move(indexed), time);
  counters_.commits_total += group.size();
  counters_.groups_total += 1;
  counters_.bytes_total += bytes;
  completed.deliver();
  followers_.wake({0, last});
  index_writer_.wake();
  return true;
}

void rocksdb_journal::fail(const journal_error& why, std::vector<queued_commit>& group) {
  std::deque<queued_commit> queued;
  {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    closed_why_ = "journal is closed: " + why.message;
    queued.swap(queue_);
    queue_bytes_ = 0;
  }
  const journal_error unknown{journal_errc::unknown_outcome,
                              "journal: the write failed: " + why.message, why.where};
  completions completed;
  const auto add = [&](queued_commit& lost) {
    completed.add(std::move(lost.listener), {lost.ticket, lost.index.place.last, {}, unknown});
  };
  std::for_each(group.begin(), group.end(), add);
  std::for_each(queued.begin(), queued.end(), add);
  completed.deliver();
  std::call_once(died_, [&] {
    BERTH_ASSERT(options_.on_fatal);
    options_.on_fatal(why);
  });
}

void rocksdb_journal::die(const journal_error& why) {
  std::call_once(died_, [&] {
    // The next start rebuilds state/ from the log.
    if (why.code == journal_errc::corrupt)
      std::ofstream{options_.state_damaged_path()} << why.message << '\n';
    {
      const std::lock_guard lock{mutex_};
      closed_ = true;
      closed_why_ = "journal is closed: " + why.message;
    }
    work_.notify_one();
    BERTH_ASSERT(options_.on_fatal);
    options_.on_fatal(why);
  });
}

journal_result<std::vector<commit>> rocksdb_journal::read_stream(const stream_id& stream,
                                                                 stream_version after,
                                                                 std::size_t limit) const {
  return reads_.read_stream(stream, after, limit);
}

journal_result<std::vector<commit>> rocksdb_journal::read(position from, std::size_t limit) const {
  return reads_.read(from, limit);
}

position rocksdb_journal::head(std::uint32_t partition) const {
  BERTH_ASSERT(partition == 0);
  return {0, reads_.durable()};
}

std::shared_ptr<void> rocksdb_journal::follow(std::function<void(position)> wake) {
  return followers_.add(std::move(wake));
}

std::optional<recorded_command> rocksdb_journal::find_command(const account_id& scope,
                                                              const command_id& id) const {
  return reads_.find_command(scope, id);
}

journal_result<snapshot> rocksdb_journal::load_snapshot(
    const stream_id& stream, std::optional<stream_version> at_most) const {
  return reads_.load_snapshot(stream, at_most);
}

void rocksdb_journal::save_snapshot(const snapshot& taken) {
  // state/ never leads the log; a snapshot that could not be saved is only a slower start.
  if (taken.at.offset <= reads_.durable()) index_writer_.save(taken);
}

journal_result<std::vector<stream_id>> rocksdb_journal::list_streams(
    const std::optional<stream_id>& after, std::size_t limit) const {
  return reads_.list_streams(after, limit);
}

void rocksdb_journal::scrub(const read_pace& pace, const told_problem& found) {
  scrub_log(log_, options_.log_dir(), reads_.durable(), pace, found);
  scrub_state(state_, options_.state_dir(), pace, [&](const journal_error& why) {
    found(why);
    die(why);
  });
}

embedded_stats rocksdb_journal::stats() const {
  embedded_stats now;
  now.commits_total = counters_.commits_total;
  now.groups_total = counters_.groups_total;
  now.bytes_total = counters_.bytes_total;
  now.sync = counters_.sync.read();
  {
    const std::lock_guard lock{mutex_};
    now.queue_commits = queue_.size();
    now.queue_bytes = queue_bytes_;
  }
  now.index_lag_commits = reads_.lag_commits();
  now.index_lag_bytes = reads_.lag_bytes();
  now.durable_offset = reads_.durable();
  return now;
}

}  // namespace berth
