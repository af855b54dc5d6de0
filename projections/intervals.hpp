// Stretches of one status of one environment: what usage and billing are integrated from. Never
// sampled. Pure.
#pragma once

#include <functional>
#include <string>

#include "events/core/commit.hpp"
#include "events/environment/aggregate.hpp"
#include "projections/view_store.hpp"

namespace berth {

struct interval {
  environment_id environment;
  account_id account;
  std::string name;
  std::string instance_type;
  std::string price_list;
  std::int64_t price_pico_usd_per_second{};
  environment::status status{};
  timestamp from;
  timestamp to;          // exclusive
  stream_version first;  // of the event that began it
  stream_version last;   // of the event that ended it
  bool operator==(const interval&) const = default;

  microseconds duration() const { return to - from; }
  bool billed() const { return status == environment::status::running; }  // and nothing else ever
};

std::string encode_interval(const interval& of);
std::optional<interval> decode_interval(std::string_view row);

// False for execs and activity: frequent, and without a bearing on what the environment is.
bool changes_environment(const environment::event& event);

// Folds a commit of an environment into the view's rows `state/<id>` and `since/<id>`, and tells of
// each interval that ended. An environment that was lost ran until it was last known to be alive.
// Empty intervals are not told.
void track_intervals(view& rows, const commit& happened,
                     const std::function<void(const interval&)>& ended);

// The present interval of an environment up to `now`; nothing if there is none (DELETED, unknown).
std::optional<interval> open_interval(const view& rows, const environment_id& environment,
                                      timestamp now);

// What track_intervals last knew of it.
environment::state tracked_state(const view& rows, const environment_id& environment);

}  // namespace berth
