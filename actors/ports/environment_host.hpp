// The machine's side of environments: a provider that makes them and the berth-agent inside each
// one. Implemented in infra/providers; tests use tests/support/fake_host.hpp.
//
// Rules
//
//  H1  Calls never block; each completion runs exactly once, on a thread of the host, and must not
//      block.
//
//  H2  Each call is repeatable, keyed by environment id: create of what exists, start of what runs,
//      stop of what is stopped and destroy of what is gone succeed and say the present incarnation.
//
//  H3  A call with a lower owner epoch than the host has seen for the environment is refused
//      `stale_owner`.
//
//  H4  exec is keyed by effect id: a repeated one gets the recorded outcome, never a second run. If
//      the agent that knew is gone, or another life than the asked one runs, the answer is
//      `outcome_unknown`.
//
//  H5  Terminal output is numbered by the agent from 0. follow_terminal(from) delivers every byte
//      from `from` on, in order, without gap; after a reconnect the host asks the agent again from
//      the last delivered byte.
//
//  H6  Environments outlive the server. adopt() after a start finds what runs and proves it (id,
//      incarnation, pidfd and start time), and what only lies on the host's disk.
//
//  H7  What the agent says is tenant input: bounded, verified, and only about its own environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/system/result.hpp>

#include "actors/ports/bytes.hpp"
#include "events/core/ids.hpp"

namespace berth {

enum class host_errc : std::uint8_t {
  unavailable,  // this machine cannot do it; the message says why and what to install or allow
  unknown_template,
  not_found,  // no such environment, terminal or exec here
  not_running,
  stale_owner,      // H3
  outcome_unknown,  // H4
  limit_exceeded,
  timeout,
  io,
  protocol,  // the agent said something it may not
};
const char* name_of(host_errc code);

struct host_error {
  host_errc code{};
  std::string message;    // the cause, for a person
  std::string next_step;  // what to do about it
};
template <class T>
using host_result = boost::system::result<T, host_error>;
[[noreturn]] void throw_exception_from_error(const host_error& error,
                                             const boost::source_location& where);
template <class T>
using host_completion = std::function<void(host_result<T>)>;

struct environment_spec {
  environment_id id;
  account_id account;
  std::uint64_t owner_epoch{};
  std::string name;           // becomes the host name inside
  std::string template_name;  // "host"
  std::uint32_t cpu_millis{};
  std::uint64_t memory_bytes{};
  std::uint32_t pids_max{};
};

// One life of an environment from start to stop. A new start is a new incarnation.
struct incarnation {
  std::string value;
  bool operator==(const incarnation&) const = default;
};

struct exec_request {
  effect_id effect;
  incarnation life;                  // in no other one (H4); empty: whichever runs
  std::vector<std::string> command;  // argv, not a shell line
  std::string stdin_bytes;
  std::map<std::string, std::string> env;
  std::string working_directory;  // empty: /workspace
  std::string user;               // empty: dev
  std::chrono::milliseconds timeout{30'000};
  std::size_t output_bytes_max{
      256 * 1024};  // of stdout and of stderr; more is dropped and `truncated` set
};
struct exec_output {
  std::int32_t exit_code{};  // 128 + signal if killed by one; 124 and timed_out on timeout
  std::string stdout_bytes;
  std::string stderr_bytes;
  bool truncated{};
  bool timed_out{};
  std::chrono::milliseconds duration{};
};

struct terminal_spec {
  terminal_id id;
  std::vector<std::string> command;  // empty: the user's login shell
  std::map<std::string, std::string> env;
  std::string working_directory;
  std::uint16_t cols{80};
  std::uint16_t rows{24};
  std::uint64_t buffer_bytes_max{64 * 1024 *
                                 1024};  // of output not yet durable; beyond it the PTY is not read
};
struct terminal_started {
  std::int32_t pid{};
  std::uint64_t next_offset{};  // > 0 if it ran already (H2)
};
// Exit status as waitpid(2) has it, or why there is none.
struct terminal_end {
  std::uint64_t final_offset{};
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::string reason;  // "exited", "signalled", "agent_lost", "environment_stopped"
};

struct environment_stats {
  double cpu_seconds{};
  std::uint64_t memory_bytes{};
  std::uint64_t disk_bytes{};
  std::uint32_t pids{};
};

struct input_outcome {
  std::uint64_t last_applied{};   // highest sequence number applied of this input stream
  bool refused_unknown_stream{};  // evicted or never seen with sequence > 1: nothing was applied
  bool refused_gap{};             // sequence > last_applied + 1: nothing was applied
};

struct adopted_environment {
  environment_id id;
  incarnation life;  // empty: it does not run
  std::vector<terminal_id> terminals;
};

struct template_info {
  std::string name;
  std::string description;
  std::vector<std::pair<std::string, std::string>> tools;  // name, version
};

// What was found by trying on this machine.
struct host_capabilities {
  std::string provider;  // "sandbox"
  bool works{};
  std::string isolation;  // "full" | "reduced" | "none"
  std::string limits;     // "memory,cpu,pids" | "memory" | "none"
  std::string network;    // "outbound" | "none"
  std::vector<std::string>
      problems;  // one line each: what is missing, the probe's error, what to do
};

// Called on the host's own thread, in order for one terminal; must not block.
class host_observer {
 public:
  virtual ~host_observer() = default;
  virtual void terminal_output(const terminal_id& terminal, std::uint64_t offset,
                               shared_bytes data) = 0;
  virtual void terminal_ended(const terminal_id& terminal, const terminal_end& end) = 0;
  virtual void environment_lost(const environment_id& environment, const incarnation& life,
                                const std::string& reason) = 0;
  virtual void environment_stats_seen(const environment_id& environment,
                                      const environment_stats& stats) = 0;
};

class environment_host {
 public:
  virtual ~environment_host() = default;

  virtual void observe(
      host_observer* observer) = 0;  // once, before anything else; nullptr detaches
  virtual host_capabilities capabilities() const = 0;
  virtual std::vector<template_info> templates() const = 0;

  virtual void adopt(host_completion<std::vector<adopted_environment>> done) = 0;
  virtual void create(const environment_spec& spec,
                      host_completion<bool> done) = 0;  // disk and names; not started
  virtual void start(const environment_spec& spec, host_completion<incarnation> done) = 0;
  virtual void stop(const environment_id& id, std::uint64_t owner_epoch,
                    host_completion<bool> done) = 0;
  virtual void destroy(const environment_id& id, std::uint64_t owner_epoch,
                       host_completion<bool> done) = 0;

  virtual void exec(const environment_id& id, const exec_request& request,
                    host_completion<exec_output> done) = 0;

  virtual void open_terminal(const environment_id& id, const terminal_spec& spec,
                             host_completion<terminal_started> done) = 0;
  // From now on output from `from` on goes to the observer. An ended terminal is reported again at
  // its end.
  virtual void follow_terminal(const environment_id& id, const terminal_id& terminal,
                               std::uint64_t from) = 0;
  // A refusal comes no later than the answers to what was sent after it.
  virtual void terminal_input(const environment_id& id, const terminal_id& terminal,
                              const input_stream_id& stream, std::uint64_t sequence,
                              std::string bytes, host_completion<input_outcome> done) = 0;
  virtual void resize_terminal(const environment_id& id, const terminal_id& terminal,
                               std::uint16_t cols, std::uint16_t rows) = 0;
  // The agent reads the PTY only up to this offset; nothing = free running (only the storage bound
  // stops it).
  virtual void pace_terminal(const environment_id& id, const terminal_id& terminal,
                             std::optional<std::uint64_t> read_until) = 0;
  // Output below is on stable storage here: the agent may drop it.
  virtual void terminal_durable(const environment_id& id, const terminal_id& terminal,
                                std::uint64_t offset) = 0;
  // SIGHUP to the terminal's session, SIGKILL after 5 s.
  virtual void close_terminal(const environment_id& id, const terminal_id& terminal) = 0;

  // A TCP connection to 127.0.0.1:port inside: the completion gets a connected file descriptor the
  // caller owns.
  virtual void dial(const environment_id& id, std::uint16_t port, host_completion<int> done) = 0;
};

}  // namespace berth
