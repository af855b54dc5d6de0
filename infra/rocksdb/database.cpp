#include "infra/rocksdb/database.hpp"

#include <fstream>

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "infra/rocksdb/storage_errors.hpp"

namespace berth {
namespace {

constexpr int bloom_bits_a_key = 10;
constexpr std::size_t block_bytes = 16 * 1024;
constexpr int background_jobs_max = 2;
// Of tables being written: the log's sync on the same disk must not wait for all of one.
constexpr std::size_t table_bytes_per_sync = 1 << 20;
constexpr std::size_t check_step_bytes = 1 << 20;

}  // namespace

database::~database() {
  if (!db) return;
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  db->Close();
}

rocksdb::Status database::open(const rocksdb::Options& options, const std::filesystem::path& folder,
                               const std::vector<std::string>& families, access how,
                               const std::filesystem::path& scratch, database& into) {
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (const auto& name : families) wanted.emplace_back(name, options);
  rocksdb::DB* db = nullptr;
  const auto status =
      how == access::writer ? rocksdb::DB::Open(options, folder, wanted, &into.families, &db)
      : how == access::observer
          ? rocksdb::DB::OpenForReadOnly(options, folder, wanted, &into.families, &db)
          : rocksdb::DB::OpenAsSecondary(options, folder, scratch, wanted, &into.families, &db);
  into.db.reset(db);
  return status;
}

rocksdb::Options common_settings(const embedded_options& options) {
  rocksdb::Options settings;
  if (options.env) settings.env = options.env;
  settings.create_missing_column_families = true;
  settings.max_background_jobs = background_jobs_max;
  settings.max_open_files = options.open_files_max;
  settings.skip_stats_update_on_db_open = true;
  settings.stats_dump_period_sec = 0;
  settings.stats_persist_period_sec = 0;
  settings.info_log = storage_errors(options);
  settings.compression = rocksdb::kLZ4Compression;
  settings.recycle_log_file_num = 0;
  settings.bytes_per_sync = table_bytes_per_sync;
  settings.strict_bytes_per_sync = true;
  settings.wal_bytes_per_sync = 0;  // facebook/rocksdb#12489: holes after a crash
  // Block checksums leave a few bytes of a file uncovered; check_files compares whole files.
  settings.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  settings.allow_concurrent_memtable_write = false;
  settings.enable_write_thread_adaptive_yield = false;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = block_bytes;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits_a_key));
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  settings.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return settings;
}

memory_use memory_of(rocksdb::DB& db) {
  memory_use now;
  db.GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &now.memtable_bytes);
  db.GetIntProperty(rocksdb::DB::Properties::kBlockCacheUsage, &now.block_cache_bytes);
  return now;
}

rocksdb::Status check_files(rocksdb::DB& db, const read_pace& pace) {
  // DB::VerifyFileChecksums would do, if it did not refuse to work in a secondary instance.
  std::vector<rocksdb::LiveFileMetaData> tables;
  db.GetLiveFilesMetaData(&tables);
  const auto factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  std::string bytes(check_step_bytes, '\0');
  for (const auto& table : tables) {
    if (table.file_checksum.empty() || table.file_checksum == rocksdb::kUnknownFileChecksum)
      continue;
    const auto path = table.db_path + table.name;
    std::ifstream in{path, std::ios::binary};
    if (!in)
      continue;  // compacted away by the server beside this reader; a missing one fails reads
    const auto checksum = factory->CreateFileChecksumGenerator({path, {}});
    while (in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) || in.gcount() > 0) {
      checksum->Update(bytes.data(), static_cast<std::size_t>(in.gcount()));
      if (!pace(static_cast<std::size_t>(in.gcount()))) return rocksdb::Status::OK();
    }
    checksum->Finalize();
    if (checksum->GetChecksum() != table.file_checksum)
      return rocksdb::Status::Corruption(path, "is not as it was written");
  }
  return rocksdb::Status::OK();
}

bool holds_database(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{folder, error}) {
    const auto name = entry.path().filename().string();
    const auto kind = entry.path().extension();
    // A manifest alone is what a creation leaves that ended before its last step.
    if (name == "CURRENT" || kind == ".sst" || kind == ".log") return true;
  }
  return false;
}

}  // namespace berth
