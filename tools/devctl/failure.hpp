// How devctl ends. One exception type, thrown anywhere below main and caught there: what went
// wrong, where, what next.
#pragma once

#include <stdexcept>
#include <string>

namespace berth::devctl {

// The exit codes of devctl, part of its interface (docs/operations.md). `exec` and `terminal
// attach` exit with the command's own code instead once it ran.
enum exit_code : int {
  exit_ok = 0,
  exit_error = 1,      // anything not below
  exit_usage = 2,      // the command line is wrong
  exit_not_found = 3,  // no such environment, terminal, token …
  exit_auth = 4,       // not logged in, or not allowed
  exit_conflict =
      5,  // name taken, wrong state, precondition failed, idempotency key used otherwise
  exit_unavailable = 6,  // server unreachable, overloaded, or the machine cannot do it
};

class failure : public std::runtime_error {
 public:
  failure(int code, const std::string& message, std::string next_step = {})
      : std::runtime_error(message), code_(code), next_step_(std::move(next_step)) {}
  int code() const { return code_; }
  const std::string& next_step() const { return next_step_; }

 private:
  int code_;
  std::string next_step_;
};

// The exit code for an HTTP status of the server's error body.
int exit_code_of(int http_status);

}  // namespace berth::devctl
