// One stream of any kind through its aggregate: at the present, at a version, or at a time.
//   fold_stream   from the first event, by commits alone: what recovery from nothing would give
//   state_at      from the nearest usable snapshot below, as the server recovers: the same state
//                 (promise 4), after at most a few thousand events
#pragma once

#include <optional>
#include <string>

#include "events/core/journal.hpp"

namespace berth::inspect {

// Where to stop. The first bound reached ends the fold; a commit is folded whole or up to `version`
// within it.
struct fold_until {
  std::optional<stream_version> version;
  std::optional<timestamp> time;  // commits after it are left out
};

struct folded_state {
  stream_version version;  // of the last event folded; 0 = nothing happened yet
  position at;             // of its commit
  timestamp time;          // of that commit
  std::string state;       // aggregate::encode_state: equal states give equal bytes
  std::string hash;        // SHA-256 of `state`, hex
  std::uint32_t fold_version{};
};

// corrupt if an event cannot be read by this build (the message names stream and version);
// not_found if the stream has no event at all.
journal_result<folded_state> fold_stream(const journal& from, const stream_id& stream,
                                         const fold_until& until = {});
journal_result<folded_state> state_at(const journal& from, const stream_id& stream,
                                      const fold_until& until = {});

}  // namespace berth::inspect
