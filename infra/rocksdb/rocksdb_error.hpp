// RocksDB's status as a journal error. `what` names the place: file, partition, offset.
#pragma once

#include <optional>
#include <string>

#include <rocksdb/status.h>

#include "events/core/journal_error.hpp"

namespace berth {

inline journal_error error_of(const rocksdb::Status& status, const std::string& what,
                              std::optional<position> where = std::nullopt) {
  const auto code = status.IsCorruption() ? journal_errc::corrupt
                    : status.IsNotFound() ? journal_errc::not_found
                                          : journal_errc::io;
  return {code, what + ": " + status.ToString(), where};
}

}  // namespace berth
