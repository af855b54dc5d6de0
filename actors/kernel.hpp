// The kernel as everyone outside actors/ sees it: ask a command, read or watch a state, attach to a
// terminal. No CAF here: gateway, tools and tests include this.
//
// Rules
//  K1  An answer, a read and a watch show durable state only (output gate): what they saw is never
//  taken back. K2  ask: the same (account, command id) with the same content has one effect and the
//  same answer, `replayed` set;
//      with other content it is refused idempotency_conflict.
//  K3  Overload is refused at once (`overloaded`): each actor, each account and the kernel as a
//  whole have a named
//      bound of commands in flight.
//  K4  Completions run on a kernel thread, exactly once, and must not block.
//  K5  Tenancy is checked here: a stream that belongs to another account than `by.account` is
//  not_found, unless the
//      principal is the system. (Account streams belong to themselves; admins act through routes
//      that say so.)
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/ports/bytes.hpp"
#include "actors/ports/environment_host.hpp"
#include "events/account/aggregate.hpp"
#include "events/core/commit.hpp"
#include "events/core/rejection.hpp"
#include "events/environment/aggregate.hpp"
#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth {

// Everything about a command that is not its content.
struct command_meta {
  command_id id;
  principal by;
  correlation_id correlation;
  std::optional<cause> because;
  std::optional<stream_version>
      if_match;  // refused precondition_failed if the stream is at another version
};

template <class A>
struct answer {
  stream_version version;  // of the stream after the command
  position at;      // read-your-writes token of the commit; {0,0} for a read of an empty stream
  bool replayed{};  // an earlier execution's answer
  std::shared_ptr<const typename A::state> state;  // at that version
};
template <class A>
using answer_completion = std::function<void(outcome<answer<A>>)>;

// What create_environment answers.
struct created_environment : answer<environment::aggregate> {
  environment_id id;
};
using creation_completion = std::function<void(outcome<created_environment>)>;

enum class attach_mode : std::uint8_t { exact = 0, screen = 1 };
enum class attach_right : std::uint8_t { view = 0, drive = 1 };

// What a viewer is told. Called on kernel threads, in order for one attachment; must not block.
class terminal_viewer {
 public:
  virtual ~terminal_viewer() = default;
  // The bytes [offset, offset + size) = data.substr(skip, size). Contiguous with what was delivered
  // before.
  virtual void output(std::uint64_t offset, const shared_bytes& data, std::size_t skip,
                      std::size_t size) = 0;
  // screen mode only: [from, to) was left out, marked; a snapshot at `to` follows.
  virtual void gap(std::uint64_t from, std::uint64_t to) = 0;
  // `bytes` repaints a terminal of this size from nothing (escape sequences), as it was at
  // `offset`.
  virtual void snapshot(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows,
                        const shared_bytes& bytes) = 0;
  virtual void resized(std::uint64_t offset, std::uint16_t cols, std::uint16_t rows) = 0;
  virtual void driver_changed(const session_id& driver) = 0;
  virtual void durable(std::uint64_t offset) = 0;
  virtual void input_applied(std::uint64_t sequence) = 0;
  virtual void input_refused(std::uint64_t sequence, const rejection& why) = 0;
  virtual void ended(const terminal::ended& end) = 0;  // after the last byte
  virtual void failed(
      const rejection& why) = 0;  // the attachment is over: truncated, expired, removed …
};

struct attach_request {
  terminal_id terminal;
  principal by;
  session_id session;
  input_stream_id input_stream;
  attach_mode mode{};
  attach_right right{};
  std::uint64_t from{};          // cursor; exact: first byte wanted; ~0 = from the present end
  std::uint64_t credit_until{};  // bytes below this offset may be delivered (absolute)
};

// One viewer's place at a terminal. Destroying it detaches. Thread-safe; calls never block.
class terminal_attachment {
 public:
  virtual ~terminal_attachment() = default;
  // The client's emulator has parsed everything below `consumed`; bytes below `until` may be
  // delivered.
  virtual void credit(std::uint64_t consumed, std::uint64_t until) = 0;
  // Input of this session's stream, sequence numbers 1, 2, 3 …; applied once (input_applied /
  // input_refused).
  virtual void input(std::uint64_t sequence, std::string bytes) = 0;
  virtual void resize(std::uint16_t cols, std::uint16_t rows) = 0;  // ignored unless driving
};

struct attached_terminal {
  std::shared_ptr<terminal_attachment> attachment;
  std::uint64_t from{};  // where delivery begins
  std::uint64_t end{};   // one past the last byte known
  std::uint16_t cols{}, rows{};
  session_id driver;
  terminal::status status{};
};

struct exec_answer {
  environment::exec_finished result;
  stream_version version;
  position at;
  bool replayed{};
};

struct kernel_stats {
  std::uint64_t actors_resident{};
  std::uint64_t commands_total{};
  std::uint64_t commands_rejected_total{};
  std::uint64_t commands_overloaded_total{};
  std::uint64_t commands_replayed_total{};
  std::uint64_t in_flight{};
  std::uint64_t terminals_live{};
  std::uint64_t viewers{};
};

class kernel {
 public:
  virtual ~kernel() = default;

  virtual void ask(const account_id&, account::command, command_meta,
                   answer_completion<account::aggregate>) = 0;
  virtual void ask(const session_id&, session::command, command_meta,
                   answer_completion<session::aggregate>) = 0;
  virtual void ask(const environment_id&, environment::command, command_meta,
                   answer_completion<environment::aggregate>) = 0;
  virtual void ask(const terminal_id&, terminal::command, command_meta,
                   answer_completion<terminal::aggregate>) = 0;
  virtual void ask(const host_id&, host::command, command_meta,
                   answer_completion<host::aggregate>) = 0;

  // Present durable state, through the actor. An empty stream is not_found.
  virtual void read(const account_id&, const principal&, answer_completion<account::aggregate>) = 0;
  virtual void read(const session_id&, const principal&, answer_completion<session::aggregate>) = 0;
  virtual void read(const environment_id&, const principal&,
                    answer_completion<environment::aggregate>) = 0;
  virtual void read(const terminal_id&, const principal&,
                    answer_completion<terminal::aggregate>) = 0;

  // Called with the present state, then after every durable commit, until the handle is destroyed.
  using environment_watcher = std::function<void(outcome<answer<environment::aggregate>>)>;
  virtual std::shared_ptr<void> watch(const environment_id&, const principal&,
                                      environment_watcher) = 0;

  // The whole of creating an environment: reserves the name, then creates (DESIGN promise 3). The
  // new id derives from (account, command id) and, in a cluster, from the node it is placed on.
  // Answers once environment/<id> exists durably.
  virtual void create_environment(const account_id&, environment::create, command_meta,
                                  creation_completion) = 0;
  // Runs a command to its end; a retry gets the recorded outcome, or `unknown_outcome` if it was
  // lost. The exec's id and effect id derive from the command id; what the caller put there is
  // replaced.
  virtual void exec(const environment_id&, environment::exec, command_meta,
                    std::function<void(outcome<exec_answer>)>) = 0;

  virtual void attach(attach_request, std::shared_ptr<terminal_viewer>,
                      std::function<void(outcome<attached_terminal>)>) = 0;

  virtual kernel_stats stats() const = 0;
};

}  // namespace berth
