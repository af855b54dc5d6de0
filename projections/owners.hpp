// Which account a stream belongs to, remembered in a view of its own rows. Pure.
#pragma once

#include "events/core/commit.hpp"
#include "projections/view_store.hpp"

namespace berth {

// An account stream belongs to itself, a host to nobody (empty id), all others to the account of
// their first event.
account_id owner_of(view& rows, const commit& happened);

}  // namespace berth
