// An environment's life.
//
//   absent -create-> CREATING -provisioned-> STARTING -started-> RUNNING -stop-> STOPPING ->
//   STOPPED -start-> STARTING CREATING | STARTING | STOPPING -failed or deadline-> ERROR -start->
//   STARTING        RUNNING -lost-> STARTING ERROR -stop-> STOPPING (what could not be stopped may
//   be stopped again) any -delete-> DELETING -> DELETED          (a DELETING that fails stays
//   DELETING with a new deadline and retries)
#pragma once

#include <map>
#include <optional>
#include <string>

#include "events/environment/events.hpp"

namespace berth::environment {

inline constexpr auto creating_max = std::chrono::seconds{60};
inline constexpr auto starting_max = std::chrono::seconds{60};
inline constexpr auto stopping_max = std::chrono::seconds{30};
inline constexpr auto deleting_max = std::chrono::seconds{60};
// An environment that is lost this often in a row, each time this soon after its start, is not
// started again: ERROR.
inline constexpr std::uint32_t losses_in_row_max = 10;
inline constexpr auto steady_after = std::chrono::seconds{60};
inline constexpr auto exec_grace = std::chrono::seconds{15};  // beyond the exec's own timeout
inline constexpr std::uint32_t exec_timeout_ms_max = 3'600'000;
inline constexpr std::size_t execs_pending_max = 64;
inline constexpr std::size_t exec_command_bytes_max = 128 * 1024;  // argv and env together
inline constexpr std::size_t exec_stdin_bytes_max = 512 * 1024;    // a commit holds it whole

struct state {
  environment::status status{status::absent};
  account_id account;
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
  std::int64_t price_pico_usd_per_second{};
  timestamp created_at;
  timestamp changed_at;  // of the last change of status
  timestamp deadline;    // of the transient status; epoch = none
  timestamp started_at;  // of the present or last incarnation
  std::string incarnation;
  host_id host;
  environment::status failed_during{status::absent};  // of ERROR; kept until it runs or stops again
  std::string cause;  // of ERROR, or why DELETING has to try again; for a person
  std::string next_step;
  timestamp last_activity;
  std::uint32_t
      losses_in_row{};  // each sooner than steady_after; 0 after a steady life or a new start
  std::map<exec_id, exec_asked> pending_execs;
  bool operator==(const state&) const = default;
};

}  // namespace berth::environment
