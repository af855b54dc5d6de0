// What log/ and state/ have in common as RocksDB databases: settings, and a handle that closes in
// order.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include "infra/files/read_pace.hpp"
#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/embedded_stats.hpp"
#include "infra/rocksdb/rocksdb_error.hpp"

namespace berth {

// An open database and its column families, `default` first.
struct database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  database() = default;
  database(database&& other) noexcept = default;
  database& operator=(database&& other) noexcept = default;
  ~database();

  enum class access : char { writer, observer, secondary };
  // `scratch` is the private folder of a secondary; others ignore it.
  static rocksdb::Status open(const rocksdb::Options& options, const std::filesystem::path& folder,
                              const std::vector<std::string>& families, access how,
                              const std::filesystem::path& scratch, database& into);
};

// Settings of both: quiet, small, no work by timer, blocks cached up to the named bound.
rocksdb::Options common_settings(const embedded_options& options);

// Reads every table file and compares its checksum with the one noted when it was written.
rocksdb::Status check_files(rocksdb::DB& db, const read_pace& pace);

memory_use memory_of(rocksdb::DB& db);

// Whether the folder holds a database, or the remains of one.
bool holds_database(const std::filesystem::path& folder);

}  // namespace berth
