// One commit onto a stream's state, and what a state is called by. Internal to the folds.
#pragma once

#include <type_traits>

#include <fmt/format.h>

#include "events/account/aggregate.hpp"
#include "events/core/checksum.hpp"
#include "events/environment/aggregate.hpp"
#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace berth::inspect {

inline std::string sha256_hex(const std::string& bytes) {
  std::string hex;
  for (const auto byte : sha256({bytes})) hex += fmt::format("{:02x}", byte);
  return hex;
}

// What `run` gives for the std::type_identity of the stream's aggregate, or the error with this
// code.
template <class Run>
auto with_aggregate(const stream_id& stream, journal_errc unknown_kind, Run run)
    -> decltype(run(std::type_identity<account::aggregate>{})) {
  switch (stream.kind) {
    case aggregate_kind::account:
      return run(std::type_identity<account::aggregate>{});
    case aggregate_kind::session:
      return run(std::type_identity<session::aggregate>{});
    case aggregate_kind::environment:
      return run(std::type_identity<environment::aggregate>{});
    case aggregate_kind::terminal:
      return run(std::type_identity<terminal::aggregate>{});
    case aggregate_kind::host:
      return run(std::type_identity<host::aggregate>{});
  }
  return journal_error{unknown_kind, stream.text() + ": unknown kind", {}};
}

// Folds what is within the bound; false once the bound is reached.
template <aggregate A>
journal_result<bool> fold_commit(const commit& one, const fold_until& until, typename A::state& now,
                                 folded_state& folded) {
  if (until.time && one.envelope.time > *until.time) return false;
  for (const auto& record : one.body.events) {
    if (until.version && folded.version >= *until.version) return false;
    const auto event = A::decode(record);
    if (!event)
      return journal_error{journal_errc::corrupt,
                           fmt::format("{} version {}: {}", one.body.stream.text(),
                                       folded.version.value + 1, event.error().message),
                           one.at()};
    now = A::apply(std::move(now), *event);
    ++folded.version.value;
    folded.at = one.at();
    folded.time = one.envelope.time;
  }
  return true;
}

}  // namespace berth::inspect
