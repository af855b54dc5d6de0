// What an environment may be asked, by its users and (report_…) by its effects.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/time.hpp"

namespace berth::environment {

enum class status : std::uint8_t {
  absent = 0,
  creating = 1,
  starting = 2,
  running = 3,
  stopping = 4,
  stopped = 5,
  error = 6,
  deleting = 7,
  deleted = 8
};
std::string_view name_of(status s);  // "RUNNING"
enum class stop_reason : std::uint8_t { asked = 0, idle = 1, billing = 2 };

struct create {
  account_id account;
  std::string name;
  std::string instance_type;
  std::string template_name;
  std::string price_list;
};
struct start {};
struct stop {
  stop_reason reason{};
};
struct remove {};  // DELETE; legal in every state
struct record_activity {
  std::string kind;
};
struct exec {
  exec_id id;
  effect_id effect;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string stdin_bytes;
  std::string working_directory;
  std::uint32_t timeout_ms{30'000};
};

struct report_provisioned {};
struct report_started {
  std::string incarnation;
  host_id host;
};
struct report_stopped {};
struct report_deleted {};
struct report_failed {
  status during{};
  std::string cause;
  std::string next_step;
};
// The host or agent was lost while it should run; the environment is started again.
struct report_lost {
  std::string incarnation;
  std::string reason;
  timestamp alive_until;
};
struct report_exec {
  exec_id exec;
  std::int32_t exit_code{};
  std::string stdout_bytes;
  std::string stderr_bytes;
  bool truncated{};
  bool timed_out{};
  std::uint64_t duration_ms{};
};
struct report_exec_unknown {
  exec_id exec;
  std::string reason;
};
struct deadline_passed {};  // by the shell: of the transient state, or of the oldest exec

using command = std::variant<create, start, stop, remove, record_activity, exec, report_provisioned,
                             report_started, report_stopped, report_deleted, report_failed,
                             report_lost, report_exec, report_exec_unknown, deadline_passed>;

}  // namespace berth::environment
