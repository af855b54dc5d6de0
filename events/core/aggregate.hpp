// An aggregate is three pure things: a state, decide and apply. One generic shell (actors/) runs
// any of them.
//
//   decide(state, command, context) -> events, or one rejection    may refuse; time comes in as
//   context apply(state, event)             -> state                        total: never refuses,
//   never does I/O
//
// Whatever else the shell needs (bytes, texts) is pure too and listed in the concept below.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/rejection.hpp"
#include "events/core/time.hpp"

namespace berth {

template <class Event>
using decision = outcome<std::vector<Event>>;

// What decide may know beside state and command. `now` never decreases within a stream.
struct decide_context {
  timestamp now{};
};

// One event as stored: `type` is the union tag of the aggregate's schema, never reused; `payload`
// is the FlatBuffer of that schema's root table (schemas/<aggregate>.fbs).
struct event_record {
  std::uint16_t type{};
  std::string payload;
  bool operator==(const event_record&) const = default;
};

// Why stored bytes cannot be read by this build.
struct decode_error {
  enum class reason : std::uint8_t { unknown_type, malformed } why{};
  std::string message;
};
template <class T>
using decoded = boost::system::result<T, decode_error>;
[[noreturn]] void throw_exception_from_error(const decode_error& error,
                                             const boost::source_location& where);

// `struct account_aggregate { using state = account::state; …; static … }` satisfies this.
template <class A>
concept aggregate = requires(const typename A::state& state, const typename A::command& command,
                             const typename A::event& event, const event_record& record,
                             std::string_view bytes, const decide_context& context) {
  { A::kind } -> std::convertible_to<aggregate_kind>;
  { A::decide(state, command, context) } -> std::same_as<decision<typename A::event>>;
  { A::apply(typename A::state{}, event) } -> std::same_as<typename A::state>;
  { A::encode(event) } -> std::same_as<event_record>;
  { A::decode(record) } -> std::same_as<decoded<typename A::event>>;
  // Snapshot bytes; equal states give equal bytes (state hashes are compared across builds and
  // rebuilds).
  { A::encode_state(state) } -> std::same_as<std::string>;
  { A::decode_state(bytes) } -> std::same_as<decoded<typename A::state>>;
  // Canonical text of a command, for its idempotency hash. Same content, same text; may hold
  // secrets: never logged.
  { A::canonical(command) } -> std::same_as<std::string>;
  // Changes whenever apply or the state's encoding changes meaning; older snapshots are then
  // skipped.
  { A::fold_version } -> std::convertible_to<std::uint32_t>;
  // When the shell must send `A::command{deadline_passed…}`; nothing if the state is not transient.
  { A::deadline(state) } -> std::same_as<std::optional<timestamp>>;
  // The command the shell sends itself at that time.
  { A::on_deadline(state) } -> std::same_as<typename A::command>;
};

}  // namespace berth
