#include "events/core/rejection.hpp"

#include <stdexcept>

#include <boost/throw_exception.hpp>

namespace berth {

const char* name_of(rejection_code code) {
  switch (code) {
    case rejection_code::not_found:
      return "not_found";
    case rejection_code::wrong_state:
      return "wrong_state";
    case rejection_code::name_taken:
      return "name_taken";
    case rejection_code::invalid_argument:
      return "invalid_argument";
    case rejection_code::idempotency_conflict:
      return "idempotency_conflict";
    case rejection_code::command_too_old:
      return "command_too_old";
    case rejection_code::precondition_failed:
      return "precondition_failed";
    case rejection_code::limit_exceeded:
      return "limit_exceeded";
    case rejection_code::overloaded:
      return "overloaded";
    case rejection_code::unauthenticated:
      return "unauthenticated";
    case rejection_code::forbidden:
      return "forbidden";
    case rejection_code::unavailable:
      return "unavailable";
    case rejection_code::unknown_outcome:
      return "unknown_outcome";
    case rejection_code::quarantined:
      return "quarantined";
  }
  return "unknown";
}

namespace {
constexpr const char* of_partition = "partition";
}

rejection not_led(const std::string& what) {
  return reject(rejection_code::unavailable, what, of_partition);
}

bool is_not_led(const rejection& why) {
  return why.code == rejection_code::unavailable && why.field == of_partition;
}

void throw_exception_from_error(const rejection& error, const boost::source_location& where) {
  boost::throw_exception(std::logic_error("value() of a rejection: " + error.message), where);
}

}  // namespace berth
