// What the caller did wrong or must wait for. The gateway maps the code to an HTTP status in one
// table.
#pragma once

#include <cstdint>
#include <string>

#include <boost/system/result.hpp>

namespace berth {

enum class rejection_code : std::uint8_t {
  not_found,             // also when it exists but belongs to another tenant
  wrong_state,           // legal in another state; details name the present one
  name_taken,            // names are unique in their account
  invalid_argument,      // details name the field
  idempotency_conflict,  // this command id was used with other content
  command_too_old,       // a UUIDv7 id older than the deduplication window is never executed
  precondition_failed,   // If-Match named another version
  limit_exceeded,        // a quota or a named bound of the product
  overloaded,            // refused early; retry after a while
  unauthenticated,
  forbidden,        // known principal, own tenant, missing right
  unavailable,      // what is needed does not work on this machine or is gone
  unknown_outcome,  // may or may not have happened; retry with the same command id
  quarantined,      // the stream holds an event this build cannot read
};

// The stable text of a code, for example "name_taken"; it is the error body's `code`.
const char* name_of(rejection_code code);

struct rejection {
  rejection_code code{};
  std::string message;  // what, where, and what to do next; for a person
  std::string field;    // the offending argument, if one can be named
  bool operator==(const rejection& other) const { return code == other.code; }
  bool operator==(rejection_code other) const { return code == other; }
};

inline rejection reject(rejection_code code, std::string message, std::string field = {}) {
  return {code, std::move(message), std::move(field)};
}

// Another node leads the stream's partition, or nobody does yet: whoever knows the nodes asks
// again.
rejection not_led(const std::string& what);
bool is_not_led(const rejection& why);

template <class T>
using outcome = boost::system::result<T, rejection>;

// Makes outcome<T>::value() usable: asking a rejection for its value is our bug.
[[noreturn]] void throw_exception_from_error(const rejection& error,
                                             const boost::source_location& where);

}  // namespace berth
