#include "actors/ports/environment_host.hpp"

#include <cstdio>
#include <cstdlib>

namespace berth {

const char* name_of(host_errc code) {
  switch (code) {
    case host_errc::unavailable:
      return "unavailable";
    case host_errc::unknown_template:
      return "unknown_template";
    case host_errc::not_found:
      return "not_found";
    case host_errc::not_running:
      return "not_running";
    case host_errc::stale_owner:
      return "stale_owner";
    case host_errc::outcome_unknown:
      return "outcome_unknown";
    case host_errc::limit_exceeded:
      return "limit_exceeded";
    case host_errc::timeout:
      return "timeout";
    case host_errc::io:
      return "io";
    case host_errc::protocol:
      return "protocol";
  }
  return "unknown";
}

// Reached only by asking a failed result for its value: our bug.
void throw_exception_from_error(const host_error& error, const boost::source_location& where) {
  std::fprintf(stderr, "%s:%u: value of a failed host call: %s: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), name_of(error.code), error.message.c_str());
  std::abort();
}

}  // namespace berth
