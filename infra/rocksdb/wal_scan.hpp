// Looks into RocksDB's write-ahead log (32 KiB blocks of checksummed fragments, db/log_format.h)
// when RocksDB says that it is damaged: was that the last write, torn by a crash and never
// acknowledged, or did synced ones follow it?
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace berth {

struct wal_damage {
  std::filesystem::path file;
  std::uint64_t byte{};  // of the first fragment that cannot be read
  bool is_followed{};    // a later write begins behind it: what is damaged had been synced
};

// Nothing if every fragment of every *.log file in the folder can be read.
std::optional<wal_damage> find_wal_damage(const std::filesystem::path& folder);

}  // namespace berth
