#include "infra/rocksdb/log_store.hpp"

#include <rocksdb/write_batch.h>

#include "events/core/invariant.hpp"
#include "infra/files/durable.hpp"
#include "infra/rocksdb/keys.hpp"
#include "infra/rocksdb/wal_scan.hpp"

namespace berth {
namespace {

using access = database::access;

const std::vector<std::string> families{"default", "log"};
constexpr std::uint64_t format = 1;
constexpr std::size_t scan_readahead_bytes = 1 << 20;
constexpr std::size_t copy_step_bytes = 1 << 20;
const std::string format_key = "format";
const std::string epoch_key = "epoch";
const std::string loss_prefix = "loss/";

rocksdb::Options settings_of(const embedded_options& options) {
  auto settings = common_settings(options);
  settings.write_buffer_size = options.log_write_buffer_bytes;
  settings.track_and_verify_wals_in_manifest = true;
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return settings;
}

journal_error loss(const std::string& folder, std::uint64_t ends_at, std::uint64_t proven) {
  return {
      journal_errc::data_loss,
      folder + ": the log ends at offset " + std::to_string(ends_at) + ", but offset " +
          std::to_string(proven) +
          " had been acknowledged (DIR/head); restore the folder, or run berth-inspect accept-loss",
      position{0, ends_at}};
}

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

std::string at(const std::string& folder, std::uint64_t offset) {
  return folder + " partition 0 offset " + std::to_string(offset);
}

// Cuts a last write that a crash tore and nobody was told of. Any other damage is refused, and so
// is a log that would end before `proven`; then nothing was changed.
std::optional<journal_error> cut_torn_tail(const embedded_options& options,
                                           rocksdb::Options settings, std::uint64_t proven) {
  const auto folder = options.log_dir().string();
  if (const auto list = find_manifest_damage(options.log_dir()); list && !list->is_followed)
    if (auto error = truncate_file(list->file, list->record_byte)) return error;
  const auto damage = find_wal_damage(options.log_dir());
  if (!damage) return std::nullopt;
  if (damage->is_followed)
    return journal_error{journal_errc::corrupt,
                         damage->file.string() + " byte " + std::to_string(damage->byte) +
                             ": cannot be read, and synced writes follow it",
                         std::nullopt};
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  {
    database observed;
    const auto opened = database::open(settings, folder, families, access::observer, {}, observed);
    if (!opened.ok()) return error_of(opened, folder);
    const std::unique_ptr<rocksdb::Iterator> last{
        observed.db->NewIterator({}, observed.families[1])};
    last->SeekToLast();
    const auto ends_at = last->Valid() ? keys::get64(last->key().ToStringView()) : 0;
    if (ends_at < proven) return loss(folder, ends_at, proven);
  }
  // RocksDB would pass over it, but leave it in the file: should the file outlive the next power
  // cut, its middle would look damaged.
  return truncate_file(damage->file, damage->record_byte);
}

}  // namespace

log_store::log_store(const embedded_options& options, database&& opened)
    : folder_{options.log_dir().string()}, database_{std::move(opened)} {}

journal_result<std::unique_ptr<log_store>> log_store::open(const embedded_options& options,
                                                           std::uint64_t proven) {
  const auto folder = options.log_dir().string();
  if (auto error = make_folder(options.log_dir())) return *error;
  auto settings = settings_of(options);
  settings.create_if_missing = !holds_database(options.log_dir());
  if (settings.create_if_missing && proven > 0) return loss(folder, 0, proven);
  if (!settings.create_if_missing)
    if (auto refused = cut_torn_tail(options, settings, proven)) return *refused;
  database opened;
  const auto status = database::open(settings, folder, families, access::writer, {}, opened);
  if (!status.ok()) return error_of(status, folder);
  std::unique_ptr<log_store> store{new log_store{options, std::move(opened)}};
  if (auto error = store->check_format()) return *error;
  return store;
}

journal_result<std::unique_ptr<log_store>> log_store::open_secondary(
    const embedded_options& options, const std::filesystem::path& scratch) {
  auto settings = settings_of(options);
  settings.max_open_files = -1;  // the writer may delete files that a secondary still reads
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database opened;
  const auto status =
      database::open(settings, options.log_dir(), families, access::secondary, scratch, opened);
  if (!status.ok()) return error_of(status, options.log_dir());
  return std::unique_ptr<log_store>{new log_store{options, std::move(opened)}};
}

journal_result<std::unique_ptr<log_store>> log_store::open_observer(
    const embedded_options& options) {
  auto settings = settings_of(options);
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database opened;
  const auto status =
      database::open(settings, options.log_dir(), families, access::observer, {}, opened);
  if (!status.ok()) return error_of(status, options.log_dir());
  return std::unique_ptr<log_store>{new log_store{options, std::move(opened)}};
}

journal_result<std::unique_ptr<log_store>> log_store::salvage(const embedded_options& options) {
  auto settings = settings_of(options);
  settings.create_if_missing = !holds_database(options.log_dir());
  settings.track_and_verify_wals_in_manifest = false;
  settings.disable_auto_compactions = true;  // one that meets the damage would end all writing
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  database opened;
  auto status = database::open(settings, options.log_dir(), families, access::writer, {}, opened);
  if (!status.ok()) {
    opened = {};
    std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
    for (const auto& name : families) wanted.emplace_back(name, settings);
    const auto repaired = rocksdb::RepairDB(options.log_dir(), settings, wanted);
    if (!repaired.ok()) return error_of(repaired, options.log_dir());
    status = database::open(settings, options.log_dir(), families, access::writer, {}, opened);
  }
  if (!status.ok()) return error_of(status, options.log_dir());
  std::unique_ptr<log_store> store{new log_store{options, std::move(opened)}};
  const auto format_error = store->check_format();
  store->meta_is_damaged_ = format_error.has_value();
  return store;
}

std::optional<journal_error> log_store::check_format() {
  std::string stored;
  const auto status = database_.db->Get({}, meta(), format_key, &stored);
  if (status.IsNotFound()) {
    rocksdb::WriteBatch batch;
    batch.Put(meta(), format_key, keys::number(format));
    return put_meta(batch);
  }
  if (!status.ok()) return error_of(status, folder_ + " format");
  if (stored.size() == 8 && keys::get64(stored) == format) return std::nullopt;
  return journal_error{
      journal_errc::corrupt,
      folder_ + ": not in a format this build knows (" + std::to_string(format) + ")",
      std::nullopt};
}

std::optional<journal_error> log_store::put_meta(rocksdb::WriteBatch& batch) {
  auto status = append(batch);
  // Flushed at once: a memtable of one row would pin every later write-ahead log.
  if (status.ok()) status = database_.db->Flush({}, meta());
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_);
}

rocksdb::Status log_store::append(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return database_.db->Write(synced, &batch);
}

void log_store::add(rocksdb::WriteBatch& batch, std::uint64_t offset,
                    std::string_view record) const {
  const auto status = batch.Put(records(), keys::number(offset), slice(record));
  BERTH_ASSERT(status.ok());
}

journal_result<rocksdb::PinnableSlice> log_store::read(std::uint64_t offset) const {
  rocksdb::PinnableSlice record;
  const auto status = database_.db->Get({}, records(), keys::number(offset), &record);
  if (!status.ok()) return error_of(status, at(folder_, offset), position{0, offset});
  return record;
}

journal_result<std::uint64_t> log_store::last_offset() const {
  const std::unique_ptr<rocksdb::Iterator> last{database_.db->NewIterator({}, records())};
  last->SeekToLast();
  if (!last->status().ok()) return error_of(last->status(), folder_);
  if (!last->Valid()) return 0;
  if (last->key().size() != 8)
    return journal_error{journal_errc::corrupt, folder_ + ": the last key is no offset",
                         std::nullopt};
  return keys::get64(last->key().ToStringView());
}

std::optional<journal_error> log_store::scan(std::uint64_t from, std::uint64_t upto,
                                             const visitor& visit) const {
  if (from > upto) return std::nullopt;
  const auto end = keys::number(upto + 1);
  const rocksdb::Slice bound{end};
  rocksdb::ReadOptions reading;
  reading.iterate_upper_bound = &bound;
  reading.readahead_size = upto - from > 1'000 ? scan_readahead_bytes : 0;
  reading.fill_cache = upto - from <= 1'000;
  const std::unique_ptr<rocksdb::Iterator> record{database_.db->NewIterator(reading, records())};
  record->Seek(keys::number(from));
  for (auto offset = from; offset <= upto; ++offset, record->Next()) {
    if (!record->status().ok())
      return error_of(record->status(), at(folder_, offset), position{0, offset});
    if (!record->Valid() || record->key().ToStringView() != keys::number(offset))
      return journal_error{journal_errc::corrupt, at(folder_, offset) + ": the record is missing",
                           position{0, offset}};
    if (auto error = visit(offset, record->value().ToStringView())) return error;
  }
  return std::nullopt;
}

journal_result<leadership> log_store::lead() const {
  std::string stored;
  const auto status = database_.db->Get({}, meta(), epoch_key, &stored);
  if (status.IsNotFound()) return leadership{};
  if (!status.ok()) return error_of(status, folder_ + " epoch");
  if (stored.size() != 16)
    return journal_error{journal_errc::corrupt, folder_ + ": the epoch is not 16 bytes",
                         std::nullopt};
  return leadership{keys::get64(stored), keys::get64(stored, 8)};
}

std::optional<journal_error> log_store::set_lead(const leadership& next) {
  rocksdb::WriteBatch batch;
  batch.Put(meta(), epoch_key, keys::number(next.epoch) + keys::number(next.nonce));
  return put_meta(batch);
}

std::optional<journal_error> log_store::note_loss(std::uint64_t kept, std::uint64_t claimed,
                                                  timestamp now) {
  rocksdb::WriteBatch batch;
  batch.Put(meta(), loss_prefix + keys::number(static_cast<std::uint64_t>(to_us(now))),
            keys::number(kept) + keys::number(claimed));
  return put_meta(batch);
}

std::optional<journal_error> log_store::copy_to(log_store& other, std::uint64_t upto) const {
  rocksdb::WriteBatch batch;
  leadership last;
  auto failed = scan(
      1, upto, [&](std::uint64_t offset, std::string_view record) -> std::optional<journal_error> {
        const auto opened = open_record(record, {0, offset});
        if (opened.has_error()) return opened.error();
        last = {opened->envelope.epoch, opened->envelope.nonce};
        other.add(batch, offset, record);
        if (offset != upto && batch.GetDataSize() < copy_step_bytes) return std::nullopt;
        const auto status = other.append(batch);
        batch.Clear();
        if (status.ok()) return std::nullopt;
        return error_of(status, other.folder_, position{0, offset});
      });
  if (failed) return failed;
  const auto noted = lead();
  return other.set_lead(noted.has_value() && noted->epoch > last.epoch ? *noted : last);
}

std::optional<journal_error> log_store::refresh() {
  const auto status = database_.db->TryCatchUpWithPrimary();
  if (status.ok()) return std::nullopt;
  return error_of(status, folder_);
}

rocksdb::Status log_store::check_files(const read_pace& pace) const {
  return berth::check_files(*database_.db, pace);
}

memory_use log_store::memory() const {
  return memory_of(*database_.db);
}

}  // namespace berth
