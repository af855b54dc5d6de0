// Who did what, when. Rows:
//   commit/<newest first>               one a commit
//   account/<account>/<newest first>    index by the account the stream belongs to
//   owner/<stream>                      owners.hpp
// Newest by commit time. What a host records about itself, and what Berth found to need no change,
// is not of interest here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view audit_name = "audit";
std::unique_ptr<projection> make_audit();

struct audit_row {
  timestamp at;      // the shell's clock when it was decided
  account_id owner;  // of the stream
  principal by;
  command_id command;
  correlation_id correlation;
  stream_id stream;
  stream_version first;
  std::vector<std::string> events;  // names, in order; none: accepted, nothing to change
  std::optional<cause> because;
};
std::optional<audit_row> decode_audit(std::string_view row);

}  // namespace berth
