// Stored events and snapshots as JSON, by their schema: for the feed, the audit view and
// berth-inspect.
//
// Every field of the schema is shown under its schema name, absent ones with their default; enum
// values by name; times in microseconds (`…_us`); 16-byte ids as UUIDs, hashes as hex, other bytes
// as text, or as
// {"base64": "…"} if they are not UTF-8. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "events/core/aggregate.hpp"
#include "events/core/ids.hpp"

namespace berth {

// The event's name in snake case, for example "start_asked"; "unknown_17" if this build does not
// know the type.
std::string event_name(aggregate_kind kind, std::uint16_t type);

// One object. Bytes that this build cannot read give {"unreadable": "why"}.
std::string event_to_json(aggregate_kind kind, const event_record& record);

// A snapshot (aggregate::encode_state) as one object; {"unreadable": "why"} likewise.
std::string state_to_json(aggregate_kind kind, std::string_view state_bytes);

// Text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace berth
