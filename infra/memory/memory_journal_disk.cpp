// What simulated crashes and bad disks do to memory_journal, and how it starts again.
#include "events/core/invariant.hpp"
#include "infra/memory/commit_record.hpp"
#include "infra/memory/memory_journal.hpp"

namespace berth {

// What was verified before is trusted, as the embedded engine trusts its log up to the last
// verified mark; after damage nothing is.
void memory_journal::open() {
  std::size_t good = touched_ || damage_ ? 0 : durable_;
  index_.drop_after(good);
  last_queued_.clear();
  last_hash_ = {};
  last_time_ = {};
  std::optional<journal_error> bad;
  if (good > 0) {
    const auto end = read_commit(records_[good - 1], {partition_, good});
    BERTH_ASSERT(end.has_value());
    last_hash_ = end->hash;
    last_time_ = end->happened.envelope.time;
  }
  auto at_durable = last_hash_;
  for (; good < records_.size(); ++good) {
    const auto read = read_commit(records_[good], {partition_, good + 1}, &last_hash_);
    if (read.has_error()) {
      bad = read.error();
      break;
    }
    last_hash_ = read->hash;
    if (good + 1 == durable_) at_durable = last_hash_;
    last_time_ = read->happened.envelope.time;
    index_.add(indexed_commit::of(read->happened, records_[good].size()));
  }
  damage_ = judge(good, at_durable, bad);
  closed_ = damage_.has_value();
  sync_fails_ = failed_reach_disk_ = false;
  ++epoch_;
  if (damage_) return;
  touched_ = false;
  records_.resize(good);
  durable_ = good;
  durable_hash_ = last_hash_;
}

// Only what was never acknowledged may be missing, and what was acknowledged is the same.
std::optional<journal_error> memory_journal::judge(std::size_t good, const chain_hash& at_durable,
                                                   const std::optional<journal_error>& bad) const {
  const position where{partition_, good + 1};
  if (good < durable_) {
    if (bad && !records_[good].empty()) return *bad;
    return journal_error{journal_errc::data_loss,
                         "the log ends at offset " + std::to_string(good) + ", but offset " +
                             std::to_string(durable_) + " had been acknowledged",
                         where};
  }
  if (at_durable == durable_hash_) return std::nullopt;
  return journal_error{
      journal_errc::corrupt,
      "the record at offset " + std::to_string(durable_) + " is not the one that was acknowledged",
      position{partition_, durable_}};
}

// What the dead process had not given to the disk is handed out, the rest of it is forgotten.
std::deque<memory_journal::queued_commit> memory_journal::end_process() {
  BERTH_ASSERT(!pumping_);
  queue_bytes_ = 0;
  completed_ = {};
  unsynced_.clear();
  return std::exchange(queue_, {});
}

void memory_journal::crash(bool torn) {
  followers_.clear();
  const std::lock_guard lock{mutex_};
  auto queued = end_process();
  if (!failed_reach_disk_) {
    if (torn && records_.size() == durable_ && !queued.empty()) store(std::move(queued.front()));
    const bool is_torn = torn && records_.size() > durable_;
    records_.resize(durable_ + (is_torn ? 1 : 0));
    if (is_torn) records_.back().resize(records_.back().size() / 2);
  }
  open();
}

void memory_journal::kill() {
  followers_.clear();
  const std::lock_guard lock{mutex_};
  end_process();
  open();
}

void memory_journal::power_cut(const survival& bytes_left) {
  followers_.clear();
  const std::lock_guard lock{mutex_};
  end_process();
  for (auto at = durable_; at < records_.size(); ++at) {
    auto& record = records_[at];
    lost_[at + 1] = record;
    record.resize(std::min(bytes_left(record.size()), record.size()));
  }
  open();
}

void memory_journal::reopen() {
  const std::lock_guard lock{mutex_};
  end_process();
  touched_ = true;
  open();
}

void memory_journal::fail_sync(bool reached_disk) {
  const std::lock_guard lock{mutex_};
  sync_fails_ = true;
  failed_reach_disk_ = reached_disk;
}

void memory_journal::flip_bit(std::uint64_t offset, std::size_t byte, unsigned bit) {
  const std::lock_guard lock{mutex_};
  BERTH_ASSERT(offset >= 1 && offset <= records_.size());
  auto& record = records_[offset - 1];
  record[byte % record.size()] ^= static_cast<char>(1U << (bit % 8));
  touched_ = true;
}

std::string memory_journal::exchange_record(std::uint64_t offset, std::string record) {
  const std::lock_guard lock{mutex_};
  BERTH_ASSERT(offset >= 1 && offset <= records_.size());
  touched_ = true;
  return std::exchange(records_[offset - 1], std::move(record));
}

void memory_journal::age_snapshots(const std::function<unsigned()>& pick) {
  const std::lock_guard lock{mutex_};
  for (auto& [stream, kept] : snapshots_) {
    for (auto at = kept.begin(); at != kept.end();) {
      const auto fate = pick();
      auto& state = at->second.what.state;
      if (fate == 2 && !state.empty()) state.back() ^= 1;
      at = fate == 1 ? kept.erase(at) : std::next(at);
    }
  }
}

}  // namespace berth
