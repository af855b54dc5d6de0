// Events as the feed shows them (REST and WebSocket). Pure; any thread.
#pragma once

#include <boost/json/array.hpp>

#include "events/core/commit.hpp"
#include "events/core/journal_cursor.hpp"

namespace berth::gateway {

// One object an event:
// {"cursor","time","stream","version","type","command","correlation","actor","data"}. Hashes of
// secrets are left out. `after` is the feed's cursor behind the commit.
boost::json::array event_items(const commit& happened, const journal_cursor& after);

}  // namespace berth::gateway
