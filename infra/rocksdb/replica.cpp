#include "infra/rocksdb/replica.hpp"

#include <fstream>

#include <rocksdb/write_batch.h>

#include "events/core/invariant.hpp"
#include "events/core/partition.hpp"
#include "infra/files/durable.hpp"
#include "infra/rocksdb/directory_lock.hpp"
#include "infra/rocksdb/journal_reads.hpp"
#include "infra/rocksdb/keys.hpp"
#include "infra/rocksdb/recovery.hpp"
#include "infra/rocksdb/rocksdb_view_store.hpp"
#include "infra/rocksdb/state_notes.hpp"

namespace berth {
namespace {

using keys::table;

const std::string source_key = "msource";

std::string state_key(std::uint32_t partition) {
  std::string key = "mpartition";
  keys::put32(key, partition);
  return key;
}

std::string record_key(std::uint32_t partition, std::uint64_t sequence) {
  std::string key(1, static_cast<char>(table::record));
  keys::put32(key, partition);
  keys::put64(key, sequence);
  return key;
}

// The records of one partition, as rows of the database.
class record_rows : public record_source {
 public:
  record_rows(rocksdb::DB& db, std::uint32_t partition) : db_{db}, partition_{partition} {}

  journal_result<rocksdb::PinnableSlice> read(std::uint64_t offset) const override {
    rocksdb::PinnableSlice record;
    const auto status =
        db_.Get({}, db_.DefaultColumnFamily(), record_key(partition_, offset), &record);
    if (!status.ok()) return error_of(status, place(offset), position{partition_, offset});
    return record;
  }

  std::optional<journal_error> scan(std::uint64_t from, std::uint64_t upto,
                                    const visitor& visit) const override {
    const auto end = record_key(partition_, upto + 1);
    const rocksdb::Slice bound{end};
    rocksdb::ReadOptions reading;
    reading.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> row{db_.NewIterator(reading)};
    auto next = from;
    for (row->Seek(record_key(partition_, from)); row->Valid(); row->Next(), ++next) {
      if (row->key() != rocksdb::Slice{record_key(partition_, next)}) break;
      if (auto stop = visit(next, row->value().ToStringView())) return stop;
    }
    if (!row->status().ok()) return error_of(row->status(), place(next));
    if (next == upto + 1) return std::nullopt;
    return journal_error{journal_errc::corrupt, place(next) + ": the record is missing",
                         position{partition_, next}};
  }

 private:
  std::string place(std::uint64_t offset) const {
    return db_.GetName() + " partition " + std::to_string(partition_) + " sequence " +
           std::to_string(offset);
  }
  rocksdb::DB& db_;
  const std::uint32_t partition_;
};

class opened_replica : public replica {
 public:
  opened_replica(const replica_options& options, directory_lock lock,
                 std::unique_ptr<state_store> store)
      : options_{options},
        lock_{std::move(lock)},
        store_{std::move(store)},
        views_{*store_},
        notes_{*store_},
        states_(options.partitions) {}
  ~opened_replica() override { store_->flush(); }

  // Nothing: it is this log's. Rows that cannot be read are `corrupt`.
  std::optional<journal_error> load() {
    auto& db = store_->db();
    std::string row;
    auto status = db.Get({}, source_key, &row);
    const auto source = options_.source + " " + std::to_string(options_.partitions);
    if (status.ok() && row != source)
      return journal_error{journal_errc::conflict,
                           db.GetName() + ": holds a replica of \"" + row + "\", not of \"" +
                               source +
                               "\"; give another data directory, or remove this folder "
                               "to read that log from its beginning",
                           std::nullopt};
    if (!status.ok() && !status.IsNotFound()) return error_of(status, db.GetName());
    status = db.Put({}, source_key, source);
    if (!status.ok()) return error_of(status, db.GetName());
    for (std::uint32_t partition = 0; partition < options_.partitions; ++partition)
      if (auto failed = load_partition(partition)) return failed;
    return std::nullopt;
  }

  std::uint32_t partitions() const override { return options_.partitions; }
  partition_state state(std::uint32_t partition) const override { return states_.at(partition); }

  std::optional<journal_error> apply(const partition_state& at,
                                     std::span<const row> commits) override {
    rocksdb::WriteBatch batch;
    std::vector<indexed_commit> indexed;
    indexed.reserve(commits.size());
    for (const auto& each : commits) {
      batch.Put(record_key(at.partition, each.happened->envelope.sequence), each.record);
      indexed.push_back(indexed_commit::of(*each.happened, each.record.size()));
    }
    std::vector<const indexed_commit*> rows;
    for (const auto& each : indexed) rows.push_back(&each);
    store_->add_index_rows(rows, at.partition, batch);
    batch.Put(state_key(at.partition), encode_partition_state(at));
    const auto status = store_->db().Write({}, &batch);
    if (!status.ok())
      return error_of(status, store_->db().GetName(), position{at.partition, at.sequence});
    states_[at.partition] = at;
    if (commits.empty()) return std::nullopt;
    reads_[at.partition]->publish_indexed(commits.size(), at.time);
    store_->set_oldest_command(at.time - options_.storage.limits.deduplication_window);
    return std::nullopt;
  }

  journal_result<stream_version> last_version(const stream_id& stream) const override {
    const auto last = store_->last_of(stream);
    if (last.has_error()) return last.error();
    return *last ? (*last)->last : stream_version{};
  }
  position head(std::uint32_t partition) const override {
    return {partition, reads_.at(partition)->durable()};
  }
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override {
    return reads_of(stream).read_stream(stream, after, limit);
  }
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
    return reads_.at(from.partition)->read(from, limit);
  }
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override {
    const auto stored = store_->find({scope, id});
    // What cannot be read is told by the partition's own look at it.
    const auto partition = stored.has_value() && *stored ? (*stored)->at.partition : 0;
    if (partition >= reads_.size()) return std::nullopt;
    return reads_[partition]->find_command(scope, id);
  }
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most) const override {
    return reads_of(stream).load_snapshot(stream, at_most);
  }
  void save_snapshot(const snapshot& taken) override {
    // What cannot be saved is only a slower start.
    if (taken.at.offset <= head(taken.at.partition).offset) store_->save(taken);
  }
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override {
    return reads_.front()->list_streams(after, limit);
  }
  view_store& views() override { return views_; }
  note_store& notes() override { return notes_; }
  memory_use memory() const override { return store_->memory(); }

 private:
  const journal_reads& reads_of(const stream_id& stream) const {
    return *reads_[partition_of(stream, options_.partitions)];
  }

  std::optional<journal_error> load_partition(std::uint32_t partition) {
    auto& db = store_->db();
    partition_state state;
    state.partition = partition;
    std::string row;
    const auto status = db.Get({}, state_key(partition), &row);
    if (!status.ok() && !status.IsNotFound()) return error_of(status, db.GetName());
    if (status.ok()) {
      const auto read = decode_partition_state(row);
      if (!read || read->partition != partition)
        return journal_error{journal_errc::corrupt,
                             db.GetName() + ": the state of partition " +
                                 std::to_string(partition) + " cannot be read",
                             std::nullopt};
      state = *read;
    }
    states_[partition] = state;
    sources_.push_back(std::make_unique<record_rows>(db, partition));
    reads_.push_back(std::make_unique<journal_reads>(
        options_.storage, *sources_.back(), *store_, position{partition, state.sequence},
        state.time, [this](const journal_error& why) { die(why); }));
    return std::nullopt;
  }

  // The next start reads the log anew.
  void die(const journal_error& why) const {
    std::ofstream{options_.storage.state_damaged_path()} << why.message << '\n';
    BERTH_ASSERT(options_.storage.on_fatal);
    options_.storage.on_fatal(why);
  }

  const replica_options options_;
  directory_lock lock_;
  std::unique_ptr<state_store> store_;
  rocksdb_view_store views_;
  state_notes notes_;
  std::vector<partition_state> states_;
  std::vector<std::unique_ptr<record_rows>> sources_;
  std::vector<std::unique_ptr<journal_reads>> reads_;
};

}  // namespace

journal_result<std::unique_ptr<replica>> open_replica(const replica_options& asked) {
  auto options = asked;
  options.storage = with_clock(options.storage);
  BERTH_ASSERT(options.partitions > 0);
  if (auto error = make_folder(options.storage.data_dir)) return *error;
  auto lock = directory_lock::take(options.storage.lock_path());
  if (lock.has_error()) return lock.error();
  auto store = open_state(options.storage);
  if (store.has_error()) return store.error();
  auto opened = std::make_unique<opened_replica>(options, std::move(*lock), std::move(*store));
  if (auto failed = opened->load()) return *failed;
  return std::unique_ptr<replica>{std::move(opened)};
}

}  // namespace berth
