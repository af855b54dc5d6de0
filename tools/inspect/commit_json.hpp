// Commits and events as JSON lines for people and scripts: the format of `berth-inspect -o json`.
//
//   {"stream":"environment/env_…","version":3,"type":"started",
//    "time":"2026-11-21T13:04:05.000001Z","position":{"partition":0,"offset":42},"data":{…},
//    "command":"<uuid>","correlation":"<uuid>",
//    "principal":{"account":"acct_…","actor":"tok_…","system":false},
//    "cause":{"stream":"account/acct_…","version":7} or null}
#pragma once

#include <boost/json.hpp>

#include "events/core/commit.hpp"

namespace berth::inspect {

// One object an event of the commit; a commit without events gives one with "type":"(no events)"
// and no "data".
boost::json::array events_of(const commit& one);
boost::json::object position_json(position at);
// The event of `version` within the commit (any event of it: they share command and cause).
boost::json::object event_at(const commit& one, stream_version version);
// One line for people: time, position, stream, version, type, data.
std::string line_of(const boost::json::object& event);

}  // namespace berth::inspect
