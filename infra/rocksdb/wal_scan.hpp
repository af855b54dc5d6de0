// Looks into RocksDB's write-ahead logs (32 KiB blocks of checksummed fragments, db/log_format.h;
// a record begins with its sequence number and count) before they are opened: does one end in a
// last write that a crash tore and nobody was told of, or is something damaged that synced writes
// follow?
//
//   file 7   [ record | record | torn ]      file 8   [ record | record ]
//                                ^ cut here             is_followed, unless it begins with the very
//                                                       sequence number the torn one would have had
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace berth {

struct wal_damage {
  std::filesystem::path file;
  std::uint64_t byte{};         // of the first fragment that cannot be read
  std::uint64_t record_byte{};  // of the record it belongs to: everything before is whole
  bool is_followed{};           // a later write begins behind it: what is damaged had been synced
};

// Nothing if every record of every *.log file in the folder can be read.
std::optional<wal_damage> find_wal_damage(const std::filesystem::path& folder);

// The same of the file list in force (MANIFEST-…, the same format). A crash may tear its last
// record, which RocksDB refuses although nothing depends on it yet.
std::optional<wal_damage> find_manifest_damage(const std::filesystem::path& folder);

}  // namespace berth
