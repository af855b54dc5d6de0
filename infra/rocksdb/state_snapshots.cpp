// The snapshots of state_store, and what state/ proves about the log.
#include <rocksdb/write_batch.h>

#include <algorithm>

#include "events/core/checksum.hpp"
#include "infra/memory/snapshot_ladder.hpp"
#include "infra/rocksdb/index_rows.hpp"
#include "infra/rocksdb/keys.hpp"
#include "infra/rocksdb/state_store.hpp"

namespace berth {
namespace {

using keys::table;

// snapshot row: CRC-32C (4) of what follows, fold version (4), partition (4), offset (8), state
constexpr std::size_t row_head_bytes = 20;

std::string row_of(const snapshot& taken) {
  std::string rest;
  keys::put32(rest, taken.fold_version);
  keys::put32(rest, taken.at.partition);
  keys::put64(rest, taken.at.offset);
  rest += taken.state;
  std::string row;
  keys::put32(row, crc32c(rest));
  return row + rest;
}

// Offset of the newest commit any snapshot was taken at.
const std::string newest_key = "msnapshots";

std::optional<snapshot> read_row(const stream_id& stream, std::uint64_t upto,
                                 std::string_view row) {
  if (row.size() < row_head_bytes || keys::get32(row) != crc32c(row.substr(4))) return std::nullopt;
  return snapshot{stream,
                  {upto},
                  {keys::get32(row, 8), keys::get64(row, 12)},
                  keys::get32(row, 4),
                  std::string{row.substr(row_head_bytes)}};
}

}  // namespace

std::optional<journal_error> state_store::save(const snapshot& taken) {
  const auto prefix = keys::prefix_of(table::snapshot, taken.stream.text());
  const auto end = keys::end_of(prefix);
  const rocksdb::Slice bound{end};
  rocksdb::ReadOptions reading;
  reading.iterate_upper_bound = &bound;
  std::vector<std::uint64_t> uptos;
  const std::unique_ptr<rocksdb::Iterator> kept{database_.db->NewIterator(reading)};
  const auto recent = taken.upto.value - std::min(taken.upto.value, snapshot_ladder_events);
  for (kept->Seek(prefix + keys::number(recent)); kept->Valid(); kept->Next())
    if (kept->key().size() == prefix.size() + 8)
      uptos.push_back(keys::get64(kept->key().ToStringView(), prefix.size()));
  if (uptos.empty() || uptos.back() < taken.upto.value) uptos.push_back(taken.upto.value);
  rocksdb::WriteBatch batch;
  batch.Put(prefix + keys::number(taken.upto.value), row_of(taken));
  for (const auto upto : snapshots_to_drop(uptos)) batch.Delete(prefix + keys::number(upto));
  const std::lock_guard lock{save_mutex_};
  std::string newest;
  auto status = database_.db->Get({}, newest_key, &newest);
  if (!status.ok() || newest.size() != 8 || keys::get64(newest) < taken.at.offset)
    batch.Put(newest_key, keys::number(taken.at.offset));
  status = database_.db->Write({}, &batch);
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_ + " snapshot of " + taken.stream.text());
}

std::optional<snapshot> state_store::newest_snapshot(const stream_id& stream,
                                                     std::optional<stream_version> at_most,
                                                     position head) const {
  const auto prefix = keys::prefix_of(table::snapshot, stream.text());
  const std::unique_ptr<rocksdb::Iterator> kept{database_.db->NewIterator({})};
  kept->SeekForPrev(prefix + keys::number(at_most ? at_most->value : ~0ULL));
  for (; kept->Valid() && kept->key().starts_with(prefix); kept->Prev()) {
    if (kept->key().size() != prefix.size() + 8) continue;
    const auto upto = keys::get64(kept->key().ToStringView(), prefix.size());
    auto read = read_row(stream, upto, kept->value().ToStringView());
    if (read && read->at.partition == head.partition && read->at.offset <= head.offset) return read;
  }
  return std::nullopt;
}

journal_result<std::vector<state_store::proof>> state_store::proofs() const {
  std::vector<proof> found;
  const auto mark = indexed();
  if (mark.has_error()) return mark.error();
  found.push_back({folder_ + " stream index", mark->offset});
  const std::unique_ptr<rocksdb::Iterator> row{database_.db->NewIterator({})};
  const std::string checkpoints(1, static_cast<char>(table::view_checkpoint));
  for (row->Seek(checkpoints); row->Valid() && row->key().starts_with(checkpoints); row->Next()) {
    const auto name = row->key().ToStringView().substr(1);
    if (row->value().size() == 8)
      found.push_back({folder_ + " view " + std::string{name.substr(0, name.find('\0'))},
                       keys::get64(row->value().ToStringView())});
  }
  if (!row->status().ok()) return error_of(row->status(), folder_);
  std::string newest;
  const auto status = database_.db->Get({}, newest_key, &newest);
  if (!status.ok() && !status.IsNotFound()) return error_of(status, folder_);
  if (status.ok() && newest.size() == 8)
    found.push_back({folder_ + " snapshots", keys::get64(newest)});
  return found;
}

}  // namespace berth
