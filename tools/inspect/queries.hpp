// What berth-inspect answers: each query reads the journal and prints to stdout, for people or as
// JSON.
#pragma once

#include <optional>
#include <string>

#include "events/core/journal.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace berth::inspect {

// Those of berthd (tools/berthd/exit_code.hpp) where both have one.
enum exit_code : int {
  exit_ok = 0,
  exit_error = 1,
  exit_usage = 2,
  exit_data_loss = 3,  // the log ends before a place something else proves it had reached
  exit_corrupt = 6,    // verify found damage, or bytes could not be read
  exit_not_found = 7,
};
int exit_code_of(journal_errc code);

struct output {
  bool json{};
};

// Each returns an exit code; errors go to stderr as "berth-inspect: what: where".
int print_streams(const journal& from, const output& how, const std::string& kind);
int print_events(const journal& from, const output& how, const stream_id& stream,
                 stream_version after, std::optional<stream_version> upto);
// Every event of the journal in offset order.
int print_all_events(const journal& from, const output& how);
int print_state(const journal& from, const output& how, const stream_id& stream,
                const fold_until& until, bool from_first);
int print_diff(const journal& from, const output& how, const stream_id& stream,
               const fold_until& before, const fold_until& after);
// `place`: "42" or "0/42" (an offset), or "environment/env_…@3" (stream and version).
int print_why(const journal& from, const output& how, const std::string& place);

int fail(const journal_error& error);
int fail(int code, const std::string& message);

}  // namespace berth::inspect
