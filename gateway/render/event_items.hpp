// Events as the feed shows them (REST and WebSocket). Pure; any thread.
#pragma once

#include <string>

#include <boost/json/array.hpp>

#include "events/core/commit.hpp"

namespace berth::gateway {

// One object an event:
// {"cursor","time","stream","version","type","command","correlation","actor","data"}. Hashes of
// secrets are left out. `after` is the feed's cursor behind the commit, as text.
boost::json::array event_items(const commit& happened, const std::string& after);

}  // namespace berth::gateway
