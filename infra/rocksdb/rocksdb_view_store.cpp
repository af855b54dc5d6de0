#include "infra/rocksdb/rocksdb_view_store.hpp"

#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include "events/core/invariant.hpp"
#include "infra/memory/row_overlay.hpp"
#include "infra/rocksdb/keys.hpp"
#include "infra/rocksdb/view_fill.hpp"

namespace berth {
namespace {

using keys::table;

std::string live_key(const std::string& name) {
  return static_cast<char>(table::live_view) + name;
}

class rocksdb_view : public view {
 public:
  rocksdb_view(rocksdb::DB& db, const view_generation& of, bool as_it_is_now = false)
      : db_{db}, prefix_{keys::generation_prefix(table::view_row, of)} {
    if (!as_it_is_now) return;
    snapshot_ = std::make_unique<rocksdb::ManagedSnapshot>(&db);
    reading_.snapshot = snapshot_->snapshot();
  }

  std::optional<std::string> get(std::string_view key) const override {
    std::string row;
    const auto status = db_.Get(reading_, prefix_ + std::string{key}, &row);
    if (status.IsNotFound()) return std::nullopt;
    // A fold that mistook an unreadable row for a missing one would write a wrong view for good.
    BERTH_ASSERT(status.ok());
    return row;
  }

  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const override {
    const auto first = prefix_ + std::string{prefix};
    const auto end = keys::end_of(first);
    const rocksdb::Slice bound{end};
    auto reading = reading_;
    reading.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> row{db_.NewIterator(reading)};
    // The first key behind `after` is `after` and a zero byte.
    row->Seek(after < prefix ? first : prefix_ + std::string{after} + '\0');
    std::vector<std::pair<std::string, std::string>> found;
    for (; row->Valid() && found.size() < limit; row->Next())
      found.emplace_back(row->key().ToStringView().substr(prefix_.size()),
                         row->value().ToStringView());
    BERTH_ASSERT(row->status().ok());
    return found;
  }

  void put(std::string_view, std::string_view) override {
    BERTH_ASSERT(!"a view that is read is not written");
  }
  void erase(std::string_view) override { BERTH_ASSERT(!"a view that is read is not written"); }

 private:
  rocksdb::DB& db_;
  std::string prefix_;
  std::unique_ptr<rocksdb::ManagedSnapshot> snapshot_;
  rocksdb::ReadOptions reading_;
};

class rocksdb_batch : public overlay_batch {
 public:
  rocksdb_batch(rocksdb::DB& db, const view_generation& of)
      : overlay_batch{row_overlay{std::make_unique<rocksdb_view>(db, of)}}, db_{db}, of_{of} {}

  journal_result<bool> commit(std::span<const position> checkpoints) override {
    rocksdb::WriteBatch batch;
    add_to(batch, checkpoints);
    const auto status = db_.Write({}, &batch);
    if (!status.ok()) return error_of(status, "view " + of_.name, checkpoints.front());
    rows_.written();
    return true;
  }

  void add_to(rocksdb::WriteBatch& batch, std::span<const position> checkpoints) {
    BERTH_ASSERT(!checkpoints.empty());
    const auto prefix = keys::generation_prefix(table::view_row, of_);
    rows_.each_changed([&](const std::string& key, const std::optional<std::string>& row) {
      if (row)
        batch.Put(prefix + key, *row);
      else
        batch.Delete(prefix + key);
    });
    for (const auto& each : checkpoints)
      batch.Put(keys::checkpoint_key(of_, each.partition), keys::number(each.offset));
  }
  void written() { rows_.written(); }

 private:
  rocksdb::DB& db_;
  view_generation of_;
};

}  // namespace

std::uint32_t rocksdb_view_store::live_generation(const std::string& name) const {
  std::string row;
  const auto status = db_.Get({}, live_key(name), &row);
  return status.ok() && row.size() == 4 ? keys::get32(row) : 1;
}

std::optional<position> rocksdb_view_store::checkpoint(const view_generation& of,
                                                       std::uint32_t partition) const {
  std::string row;
  const auto status = db_.Get({}, keys::checkpoint_key(of, partition), &row);
  if (!status.ok() || row.size() != 8) return std::nullopt;
  return position{partition, keys::get64(row)};
}

std::unique_ptr<view> rocksdb_view_store::read(const view_generation& of) const {
  return std::make_unique<rocksdb_view>(db_, of);
}

std::unique_ptr<view> rocksdb_view_store::snapshot(const view_generation& of) const {
  return std::make_unique<rocksdb_view>(db_, of, true);
}

std::unique_ptr<view_store::batch> rocksdb_view_store::write(const view_generation& of) {
  return std::make_unique<rocksdb_batch>(db_, of);
}

journal_result<bool> rocksdb_view_store::commit_all(std::span<const batch_at> all) {
  rocksdb::WriteBatch batch;
  std::vector<rocksdb_batch*> batches;
  for (const auto& each : all) {
    batches.push_back(dynamic_cast<rocksdb_batch*>(each.rows));
    BERTH_ASSERT(batches.back());
    batches.back()->add_to(batch, each.checkpoints);
  }
  const auto status = db_.Write({}, &batch);
  if (!status.ok()) return error_of(status, "views", all.front().checkpoints.front());
  for (auto* each : batches) each->written();
  return true;
}

std::unique_ptr<view_store::batch> rocksdb_view_store::fill(const view_generation& of) {
  return fill_view(state_, of, read(of));
}

journal_result<bool> rocksdb_view_store::swap_live(const std::string& name,
                                                   std::uint32_t generation) {
  std::string row;
  keys::put32(row, generation);
  const auto status = db_.Put({}, live_key(name), row);
  if (!status.ok()) return error_of(status, "view " + name);
  return true;
}

// Rows without a checkpoint are no view: a drop that fails half way is repeated at the next start,
// or by the next rebuild.
void rocksdb_view_store::drop(const view_generation& of) {
  rocksdb::WriteBatch batch;
  for (const auto in : {table::view_checkpoint, table::view_row}) {
    const auto first = keys::generation_prefix(in, of);
    batch.DeleteRange(first, keys::end_of(first));
  }
  db_.Write({}, &batch);
}

void rocksdb_view_store::drop_others(const view_generation& than) {
  rocksdb::WriteBatch batch;
  for (const auto in : {table::view_checkpoint, table::view_row}) {
    const auto all = keys::prefix_of(in, than.name);
    const auto kept = keys::generation_prefix(in, than);
    batch.DeleteRange(all, kept);
    batch.DeleteRange(keys::end_of(kept), keys::end_of(all));
  }
  db_.Write({}, &batch);
}

}  // namespace berth
