#include "infra/rocksdb/state_store.hpp"

#include <map>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/write_batch.h>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"
#include "infra/files/durable.hpp"
#include "infra/rocksdb/index_rows.hpp"
#include "infra/rocksdb/keys.hpp"

namespace berth {
namespace {

using keys::table;

const std::vector<std::string> families{"default"};
constexpr double memtable_bloom_ratio = 0.02;  // of the write buffer: about 13 bits a row
const std::string indexed_key = "mindexed";

// Drops deduplication rows that left the window.
class command_filter : public rocksdb::CompactionFilter {
 public:
  const char* Name() const override { return "berth.deduplication_window"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& row, std::string*,
              bool*) const override {
    return key[0] == static_cast<char>(table::command) && row.size() == 16 &&
           static_cast<std::int64_t>(keys::get64(row.ToStringView())) <
               oldest_us.load(std::memory_order_relaxed);
  }
  std::atomic<std::int64_t> oldest_us{0};
};

rocksdb::Options settings_of(const embedded_options& options) {
  auto settings = common_settings(options);
  settings.write_buffer_size = options.state_write_buffer_bytes;
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  settings.level_compaction_dynamic_level_bytes = true;
  // Every new command is looked for in vain.
  settings.memtable_whole_key_filtering = true;
  settings.memtable_prefix_bloom_size_ratio = memtable_bloom_ratio;
  return settings;
}

}  // namespace

state_store::state_store(std::unique_ptr<rocksdb::CompactionFilter> filter, std::string folder,
                         database&& opened)
    : filter_{std::move(filter)}, folder_{std::move(folder)}, database_{std::move(opened)} {}

state_store::~state_store() = default;

journal_result<std::unique_ptr<state_store>> state_store::open(const embedded_options& options) {
  if (auto error = make_folder(options.state_dir())) return *error;
  const auto filling = filling_folder_of(options.state_dir());
  std::error_code not_there;  // then a fill says so; nothing in it need last
  std::filesystem::remove_all(filling, not_there);
  std::filesystem::create_directory(filling, not_there);
  auto settings = settings_of(options);
  settings.create_if_missing = true;
  auto filter = std::make_unique<command_filter>();
  settings.compaction_filter = filter.get();
  database opened;
  const auto status =
      database::open(settings, options.state_dir(), families, database::access::writer, {}, opened);
  if (!status.ok()) return error_of(status, options.state_dir());
  return std::unique_ptr<state_store>{
      new state_store{std::move(filter), options.state_dir().string(), std::move(opened)}};
}

journal_result<std::unique_ptr<state_store>> state_store::open_secondary(
    const embedded_options& options, const std::filesystem::path& scratch) {
  auto settings = settings_of(options);
  settings.max_open_files = -1;  // the writer may delete files that a secondary still reads
  database opened;
  const auto status = database::open(settings, options.state_dir(), families,
                                     database::access::secondary, scratch, opened);
  if (!status.ok()) return error_of(status, options.state_dir());
  return std::unique_ptr<state_store>{
      new state_store{nullptr, options.state_dir().string(), std::move(opened)}};
}

journal_result<std::unique_ptr<state_store>> state_store::open_observer(
    const embedded_options& options) {
  database opened;
  const auto status = database::open(settings_of(options), options.state_dir(), families,
                                     database::access::observer, {}, opened);
  if (!status.ok()) return error_of(status, options.state_dir());
  return std::unique_ptr<state_store>{
      new state_store{nullptr, options.state_dir().string(), std::move(opened)}};
}

journal_result<durable_mark> state_store::indexed() const {
  std::string row;
  const auto status = database_.db->Get({}, indexed_key, &row);
  if (status.IsNotFound()) return durable_mark{};
  if (!status.ok()) return error_of(status, folder_ + " index mark");
  const auto mark = index_rows::read_mark(row);
  if (!mark)
    return journal_error{journal_errc::corrupt, folder_ + ": the index mark cannot be read",
                         std::nullopt};
  return *mark;
}

void state_store::add_index_rows(std::span<const indexed_commit* const> next,
                                 std::uint32_t partition, rocksdb::WriteBatch& batch) const {
  std::unordered_map<stream_id, std::vector<stream_place>> blocks;
  const auto oldest_us =
      filter_ ? static_cast<command_filter&>(*filter_).oldest_us.load(std::memory_order_relaxed)
              : 0;
  const auto write_block = [&](const stream_id& stream, std::vector<stream_place>& places) {
    batch.Put(index_rows::block_key(stream, places.back()), index_rows::block_of(places));
    places.clear();
  };
  for (const auto* happened : next) {
    auto& places = blocks[happened->stream];
    places.push_back(happened->place);
    if (places.size() == index_rows::block_places_max) write_block(happened->stream, places);
    if (to_us(happened->time) < oldest_us) continue;
    batch.Put(index_rows::command_row_key(happened->command),
              keys::number(static_cast<std::uint64_t>(to_us(happened->time))) +
                  keys::number(keys::place_of({partition, happened->place.offset})));
  }
  for (auto& [stream, places] : blocks)
    if (!places.empty()) write_block(stream, places);
}

std::optional<journal_error> state_store::index(std::span<const indexed_commit* const> next,
                                                const durable_mark& at, index_write how) {
  BERTH_ASSERT(!next.empty() && next.back()->place.offset == at.offset);
  rocksdb::WriteBatch batch;
  add_index_rows(next, 0, batch);
  batch.Put(indexed_key, index_rows::mark_row(at));
  rocksdb::WriteOptions writing;
  writing.disableWAL = how == index_write::unlogged;
  const auto status = database_.db->Write(writing, &batch);
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_ + " index", position{0, at.offset});
}

std::optional<journal_error> state_store::flush() {
  const auto status = database_.db->Flush({});
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_ + " index");
}

std::optional<journal_error> state_store::places_after(const stream_id& stream,
                                                       stream_version after, std::size_t limit,
                                                       std::vector<stream_place>& into) const {
  const auto prefix = keys::prefix_of(table::stream_index, stream.text());
  const auto end = keys::end_of(prefix);
  const rocksdb::Slice bound{end};
  rocksdb::ReadOptions reading;
  reading.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> block{database_.db->NewIterator(reading)};
  for (block->Seek(prefix + keys::number(after.value + 1)); block->Valid() && into.size() < limit;
       block->Next()) {
    std::vector<stream_place> places;
    if (!index_rows::read_block(block->value().ToStringView(), places))
      return journal_error{journal_errc::corrupt,
                           folder_ + ": an index row of " + stream.text() + " cannot be read",
                           std::nullopt};
    for (const auto& place : places)
      if (place.last > after && into.size() < limit) into.push_back(place);
  }
  if (block->status().ok()) return std::nullopt;
  return error_of(block->status(), folder_ + " index of " + stream.text());
}

journal_result<std::optional<stream_place>> state_store::last_of(const stream_id& stream) const {
  const auto prefix = keys::prefix_of(table::stream_index, stream.text());
  const std::unique_ptr<rocksdb::Iterator> block{database_.db->NewIterator({})};
  block->SeekForPrev(prefix + keys::number(~0ULL) + keys::number(~0ULL));
  if (!block->status().ok())
    return error_of(block->status(), folder_ + " index of " + stream.text());
  if (!block->Valid() || !block->key().starts_with(prefix)) return std::optional<stream_place>{};
  const auto numbers = block->key().ToStringView().substr(prefix.size());
  if (numbers.size() != 16)
    return journal_error{journal_errc::corrupt,
                         folder_ + ": an index key of " + stream.text() + " cannot be read",
                         std::nullopt};
  return std::optional{stream_place{{keys::get64(numbers)}, keys::get64(numbers, 8)}};
}

journal_result<std::optional<state_store::command_place>> state_store::find(
    const command_key& command) const {
  rocksdb::PinnableSlice row;
  const auto status =
      database_.db->Get({}, database_.families[0], index_rows::command_row_key(command), &row);
  if (status.IsNotFound()) return std::optional<command_place>{};
  if (!status.ok()) return error_of(status, folder_ + " deduplication of " + command.id.text());
  if (row.size() != 16)
    return journal_error{journal_errc::corrupt,
                         folder_ + ": deduplication row of " + command.id.text(), std::nullopt};
  const auto bytes = row.ToStringView();
  return std::optional{command_place{from_us(static_cast<std::int64_t>(keys::get64(bytes))),
                                     keys::position_of(keys::get64(bytes, 8))}};
}

journal_result<std::vector<std::string>> state_store::list(const std::string& after,
                                                           std::size_t limit) const {
  const std::string first(1, static_cast<char>(table::stream_index));
  const auto end = keys::end_of(first);
  const rocksdb::Slice bound{end};
  rocksdb::ReadOptions reading;
  reading.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> block{database_.db->NewIterator(reading)};
  std::vector<std::string> names;
  const auto behind = [](const std::string& name) {
    return keys::end_of(keys::prefix_of(table::stream_index, name));
  };
  for (block->Seek(after.empty() ? first : behind(after)); block->Valid() && names.size() < limit;
       block->Seek(behind(names.back()))) {
    const auto name = block->key().ToStringView().substr(1);
    names.emplace_back(name.substr(0, name.find('\0')));
  }
  if (!block->status().ok()) return error_of(block->status(), folder_ + " index");
  return names;
}

void state_store::set_oldest_command(timestamp oldest) {
  static_cast<command_filter&>(*filter_).oldest_us.store(to_us(oldest), std::memory_order_relaxed);
}

std::optional<journal_error> state_store::refresh() {
  const auto status = database_.db->TryCatchUpWithPrimary();
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_);
}

}  // namespace berth
