// What happened to an environment (schemas/environment.fbs).
#pragma once

#include <string>
#include <variant>

#include "events/environment/commands.hpp"

namespace berth::environment {

struct created {
  account_id account;
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
  std::int64_t price_pico_usd_per_second{};
  timestamp at;
  timestamp deadline;
  bool operator==(const created&) const = default;
};
struct provisioned {
  timestamp at;
  timestamp deadline;
  bool operator==(const provisioned&) const = default;
};
struct start_asked {
  timestamp at;
  timestamp deadline;
  bool operator==(const start_asked&) const = default;
};
struct started {
  std::string incarnation;
  host_id host;
  timestamp at;
  bool operator==(const started&) const = default;
};
struct stop_asked {
  stop_reason reason{};
  timestamp at;
  timestamp deadline;
  bool operator==(const stop_asked&) const = default;
};
struct stopped {
  timestamp at;
  bool operator==(const stopped&) const = default;
};
struct failed {
  status during{};
  std::string cause;
  std::string next_step;
  timestamp at;
  bool operator==(const failed&) const = default;
};
struct delete_asked {
  timestamp at;
  timestamp deadline;
  bool operator==(const delete_asked&) const = default;
};
struct deleted {
  timestamp at;
  bool operator==(const deleted&) const = default;
};
struct lost {
  std::string reason;
  timestamp alive_until;
  timestamp at;
  timestamp deadline;
  bool operator==(const lost&) const = default;
};
struct activity_recorded {
  std::string kind;
  timestamp at;
  bool operator==(const activity_recorded&) const = default;
};
struct exec_asked {
  environment::exec what;
  timestamp at;
  timestamp deadline;
  bool operator==(const exec_asked&) const;
};
struct exec_finished {
  exec_id exec;
  std::int32_t exit_code{};
  std::string stdout_bytes;
  std::string stderr_bytes;
  bool truncated{};
  bool timed_out{};
  std::uint64_t duration_ms{};
  timestamp at;
  bool operator==(const exec_finished&) const = default;
};
struct exec_outcome_unknown {
  exec_id exec;
  std::string reason;
  timestamp at;
  bool operator==(const exec_outcome_unknown&) const = default;
};

using event = std::variant<created, provisioned, start_asked, started, stop_asked, stopped, failed,
                           delete_asked, deleted, lost, activity_recorded, exec_asked,
                           exec_finished, exec_outcome_unknown>;

}  // namespace berth::environment
