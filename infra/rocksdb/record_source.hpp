// Where the records of one partition are kept, by their sequence: log_store, or the rows of a
// replica.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include <rocksdb/slice.h>

#include "events/core/journal_error.hpp"

namespace berth {

class record_source {
 public:
  virtual ~record_source() = default;
  // `not_found` if there is no such record.
  virtual journal_result<rocksdb::PinnableSlice> read(std::uint64_t offset) const = 0;
  // Calls `visit(offset, record)` for from, from + 1 … upto until it returns an error; a missing
  // one is `corrupt`.
  using visitor =
      std::function<std::optional<journal_error>(std::uint64_t offset, std::string_view record)>;
  virtual std::optional<journal_error> scan(std::uint64_t from, std::uint64_t upto,
                                            const visitor& visit) const = 0;
};

}  // namespace berth
