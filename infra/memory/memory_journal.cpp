#include "infra/memory/memory_journal.hpp"

#include <algorithm>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"
#include "infra/memory/commit_record.hpp"
#include "infra/memory/snapshot_ladder.hpp"

namespace berth {

memory_journal::memory_journal(const clock& time, mode how, journal_limits limits,
                               std::uint32_t partition)
    : time_{time}, mode_{how}, limits_{limits}, partition_{partition} {
  open();
}

stream_version memory_journal::next_version(const stream_id& stream) const {
  if (const auto queued = last_queued_.find(stream); queued != last_queued_.end())
    return {queued->second.value + 1};
  const auto last = index_.last_of(stream);
  return {last ? last->last.value + 1 : 1};
}

std::optional<journal_error> memory_journal::append(const commit_body& body, std::uint64_t ticket,
                                                    std::shared_ptr<append_listener> listener) {
  queued_commit added{encode_body(body),
                      {body.stream, {body.last(), 0}, {body.by.account, body.command}, {}, 0},
                      ticket,
                      std::move(listener)};
  added.index.bytes = commit_envelope::size + added.body_bytes.size();
  {
    const std::lock_guard lock{mutex_};
    if (closed_)
      return journal_error{journal_errc::closed,
                           damage_ ? "journal is closed: " + damage_->message
                                   : "journal is closed after a failed sync",
                           {}};
    if (added.index.bytes > commit_bytes_max) return too_large_of(body, added.index.bytes);
    if (queue_.size() >= limits_.queue_commits_max || queue_bytes_ >= limits_.queue_bytes_max)
      return journal_error{
          journal_errc::overloaded,
          "journal: " + std::to_string(queue_.size()) + " commits wait to be written",
          {}};
    if (const auto next = next_version(body.stream); body.first != next)
      return conflict_of(body, next);
    last_queued_[body.stream] = body.last();
    queue_bytes_ += added.index.bytes;
    queue_.push_back(std::move(added));
  }
  if (mode_ == mode::automatic) flush();
  return std::nullopt;
}

void memory_journal::store(queued_commit&& taken) {
  last_time_ = std::max(time_.now(), last_time_);
  commit_envelope envelope;
  envelope.partition = partition_;
  envelope.epoch = epoch_;
  envelope.nonce = epoch_;
  envelope.sequence = records_.size() + 1;
  envelope.time = last_time_;
  envelope.previous_hash = last_hash_;
  auto record = seal(envelope, taken.body_bytes);
  last_hash_ = record.hash;
  records_.push_back(std::move(record.bytes));
  taken.index.place.offset = envelope.sequence;
  taken.index.time = envelope.time;
  index_.add(std::move(taken.index));
}

void memory_journal::write_group(std::size_t count) {
  for (count = std::min(count, queue_.size()); count > 0; --count) {
    auto taken = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= taken.index.bytes;
    unsynced_.push_back({taken.ticket, taken.index.place.last, std::move(taken.listener)});
    store(std::move(taken));
  }
}

std::size_t memory_journal::sync_group() {
  if (unsynced_.empty()) return 0;
  if (sync_fails_) {
    fail_all();
    return 0;
  }
  const auto count = unsynced_.size();
  for (auto& synced : std::exchange(unsynced_, {}))
    completed_.add(std::move(synced.listener),
                   {synced.ticket, synced.last, {partition_, ++durable_}, std::nullopt});
  durable_hash_ = last_hash_;
  return count;
}

void memory_journal::fail_all() {
  closed_ = true;
  const journal_error why{journal_errc::unknown_outcome, "journal: the sync failed", std::nullopt};
  for (auto& lost : std::exchange(unsynced_, {}))
    completed_.add(std::move(lost.listener), {lost.ticket, lost.last, {}, why});
  for (auto& lost : std::exchange(queue_, {}))
    completed_.add(std::move(lost.listener), {lost.ticket, lost.index.place.last, {}, why});
  queue_bytes_ = 0;
}

void memory_journal::deliver(std::unique_lock<std::mutex>& lock, std::size_t synced) {
  auto ready = std::exchange(completed_, {});
  const position head{partition_, durable_};
  lock.unlock();
  ready.deliver();
  if (synced > 0) followers_.wake(head);
  lock.lock();
}

std::size_t memory_journal::flush(std::size_t count) {
  std::size_t flushed = 0;
  std::unique_lock lock{mutex_};
  if (pumping_) return 0;
  pumping_ = true;
  for (auto left = count; left > 0 && !queue_.empty(); left = count - flushed) {
    write_group(left);
    const auto group = sync_group();
    flushed += group;
    deliver(lock, group);
    if (mode_ == mode::manual) break;
  }
  pumping_ = false;
  return flushed;
}

std::size_t memory_journal::write(std::size_t count) {
  const std::lock_guard lock{mutex_};
  if (closed_) return 0;
  count = std::min(count, queue_.size());
  write_group(count);
  return count;
}

std::size_t memory_journal::sync() {
  std::unique_lock lock{mutex_};
  if (pumping_) return 0;
  pumping_ = true;
  const auto synced = sync_group();
  deliver(lock, synced);
  pumping_ = false;
  return synced;
}

std::size_t memory_journal::queued() const {
  const std::lock_guard lock{mutex_};
  return queue_.size();
}

std::size_t memory_journal::unsynced() const {
  const std::lock_guard lock{mutex_};
  return unsynced_.size();
}

bool memory_journal::closed() const {
  const std::lock_guard lock{mutex_};
  return closed_;
}

std::uint64_t memory_journal::epoch() const {
  const std::lock_guard lock{mutex_};
  return epoch_;
}

position memory_journal::head(std::uint32_t partition) const {
  BERTH_ASSERT(partition == partition_);
  const std::lock_guard lock{mutex_};
  return {partition_, durable_};
}

std::shared_ptr<void> memory_journal::follow(std::function<void(position)> wake) {
  return followers_.add(std::move(wake));
}

journal_result<commit> memory_journal::commit_at(std::uint64_t offset) const {
  auto read = read_commit(records_[offset - 1], {partition_, offset});
  if (read.has_error()) return read.error();
  return std::move(read->happened);
}

journal_result<std::vector<commit>> memory_journal::read_stream(const stream_id& stream,
                                                                stream_version after,
                                                                std::size_t limit) const {
  const std::lock_guard lock{mutex_};
  std::vector<stream_place> places;
  index_.places_after(stream, after, limit, places);
  std::vector<commit> commits;
  commits.reserve(places.size());
  for (const auto& place : places) {
    if (place.offset > durable_) break;
    auto read = commit_at(place.offset);
    if (read.has_error()) return read.error();
    if (auto broken = check_joins(stream, after, *read)) return *broken;
    after = read->body.last();
    commits.push_back(std::move(*read));
  }
  return commits;
}

journal_result<std::vector<commit>> memory_journal::read(position from, std::size_t limit) const {
  const std::lock_guard lock{mutex_};
  std::vector<commit> commits;
  std::optional<chain_hash> previous;
  for (auto offset = std::max<std::uint64_t>(from.offset, 1);
       offset <= durable_ && commits.size() < limit; ++offset) {
    auto read =
        read_commit(records_[offset - 1], {partition_, offset}, previous ? &*previous : nullptr);
    if (read.has_error()) return read.error();
    previous = read->hash;
    commits.push_back(std::move(read->happened));
  }
  return commits;
}

std::optional<recorded_command> memory_journal::find_command(const account_id& scope,
                                                             const command_id& id) const {
  const auto now = time_.now();
  const std::lock_guard lock{mutex_};
  const auto offset = index_.find({scope, id});
  if (!offset || *offset > durable_) return std::nullopt;
  const auto read = commit_at(*offset);
  // It was executed, but unreadable: no content has this hash, so a retry is refused and never
  // executed.
  if (read.has_error()) return recorded_command{{}, {}, 0, {partition_, *offset}, {}, {}};
  if (read->envelope.time + limits_.deduplication_window < std::max(now, last_time_))
    return std::nullopt;
  return recorded_from(*read);
}

journal_result<snapshot> memory_journal::load_snapshot(
    const stream_id& stream, std::optional<stream_version> at_most) const {
  const std::lock_guard lock{mutex_};
  if (const auto kept = snapshots_.find(stream); kept != snapshots_.end()) {
    for (auto at = kept->second.rbegin(); at != kept->second.rend(); ++at) {
      if (at_most && at->first > at_most->value) continue;
      const auto& [taken, checksum] = at->second;
      if (taken.at.offset <= durable_ && crc32c(taken.state) == checksum) return taken;
    }
  }
  return journal_error{journal_errc::not_found, stream.text() + ": no usable snapshot",
                       std::nullopt};
}

void memory_journal::save_snapshot(const snapshot& taken) {
  const std::lock_guard lock{mutex_};
  if (taken.at.offset > durable_) return;
  auto& kept = snapshots_[taken.stream];
  kept[taken.upto.value] = {taken, crc32c(taken.state)};
  std::vector<std::uint64_t> uptos;
  for (const auto& [upto, snapshot] : kept) uptos.push_back(upto);
  for (const auto upto : snapshots_to_drop(uptos)) kept.erase(upto);
}

journal_result<std::vector<stream_id>> memory_journal::list_streams(
    const std::optional<stream_id>& after, std::size_t limit) const {
  const std::lock_guard lock{mutex_};
  return index_.list(after ? after->text() : std::string{}, limit);
}

}  // namespace berth
