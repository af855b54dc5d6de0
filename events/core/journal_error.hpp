// What the journal could not do. The system acts on it, never the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <boost/system/result.hpp>

#include "events/core/ids.hpp"

namespace berth {

enum class journal_errc : std::uint8_t {
  overloaded,       // a named bound is reached; nothing was written; retry later
  closed,           // the journal is shutting down; nothing was written
  conflict,         // the stream's next version is another one; nothing was written
  too_large,        // a record above the bound; nothing was written
  unknown_outcome,  // may or may not have been written; ends the partition's leadership
  io,               // the storage failed
  corrupt,          // bytes do not match their checksum, chain or schema
  data_loss,        // the log ends before a place something else proves it had reached
  not_found,
};
const char* name_of(journal_errc code);

struct journal_error {
  journal_errc code{};
  std::string message;  // names the place: file, partition, offset
  std::optional<position> where;

  bool retryable() const {
    return code == journal_errc::overloaded || code == journal_errc::closed;
  }
  bool unknown_outcome() const { return code == journal_errc::unknown_outcome; }
};

template <class T>
using journal_result = boost::system::result<T, journal_error>;
[[noreturn]] void throw_exception_from_error(const journal_error& error,
                                             const boost::source_location& where);

}  // namespace berth
