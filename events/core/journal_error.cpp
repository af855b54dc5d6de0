#include "events/core/journal_error.hpp"

#include "events/core/invariant.hpp"

namespace berth {

const char* name_of(journal_errc code) {
  switch (code) {
    case journal_errc::overloaded:
      return "overloaded";
    case journal_errc::closed:
      return "closed";
    case journal_errc::conflict:
      return "conflict";
    case journal_errc::too_large:
      return "too_large";
    case journal_errc::unknown_outcome:
      return "unknown_outcome";
    case journal_errc::io:
      return "io";
    case journal_errc::corrupt:
      return "corrupt";
    case journal_errc::data_loss:
      return "data_loss";
    case journal_errc::not_found:
      return "not_found";
  }
  return "unknown";
}

void throw_exception_from_error(const journal_error& error, const boost::source_location& where) {
  const auto text =
      std::string{"value of a journal error: "} + name_of(error.code) + ": " + error.message;
  invariant_failed(text.c_str(), where.file_name(), static_cast<int>(where.line()));
}

}  // namespace berth
