// Rows that are an aggregate's state, kept with the aggregate's own apply and codec: what a fold
// shows is what the actor has. Pure; any thread.
#pragma once

#include <string_view>

#include "events/core/commit.hpp"
#include "projections/view_store.hpp"

namespace berth {

// The state in a row; the initial one if there is none. A row of another build counts as none: it
// is rebuilt.
template <class A>
typename A::state load_state(const view& rows, std::string_view key) {
  const auto row = rows.get(key);
  if (!row) return {};
  auto state = A::decode_state(*row);
  return state ? std::move(*state) : typename A::state{};
}

template <class A>
void save_state(view& rows, std::string_view key, const typename A::state& state) {
  rows.put(key, A::encode_state(state));
}

// Calls `each(event, version)` for every event of the commit this build can read. One it cannot
// read changes nothing: its actor is quarantined, views show the last readable state.
template <class A, class Each>
void for_each_event(const commit& happened, Each each) {
  auto version = happened.body.first;
  for (const auto& record : happened.body.events) {
    if (const auto event = A::decode(record)) each(*event, version);
    ++version.value;
  }
}

}  // namespace berth
