// Reading an aggregate back: newest usable snapshot, then the events after it (DESIGN promise 4).
#pragma once

#include <memory>
#include <optional>

#include "events/core/invariant.hpp"
#include "events/core/journal.hpp"
#include "events/core/rejection.hpp"

namespace berth::actors {

// A command id in its scope.
struct recorded_key {
  account_id account;
  command_id id;
  bool operator==(const recorded_key&) const = default;
};

rejection to_rejection(const journal_error& error);
rejection unknown_stream(const stream_id& stream);
rejection quarantine(const stream_id& stream, stream_version at, const decode_error& why);
// A UUIDv7 id whose time lies further back than the window; other ids carry no time.
bool too_old(const command_id& id, timestamp now, std::chrono::hours window);

template <class A>
struct loaded_stream {
  std::shared_ptr<const typename A::state> now;
  stream_version version;
  stream_version snapshot;  // that it began with; 0 = none
  position at;
  correlation_id correlation;  // of the last commit read; nil if a snapshot was all there was
};

// The state of a stream at its durable end, or at `upto`. Unreadable snapshots are skipped,
// unreadable events are not.
template <class A>
outcome<loaded_stream<A>> load_stream(const journal& log, const stream_id& stream,
                                      std::optional<stream_version> upto = {}) {
  constexpr std::size_t read_batch = 512;
  typename A::state state{};
  loaded_stream<A> read;
  if (auto kept = log.load_snapshot(stream, upto); kept && kept->fold_version == A::fold_version) {
    if (auto decoded = A::decode_state(kept->state)) {
      state = std::move(*decoded);
      read.version = read.snapshot = kept->upto;
      read.at = kept->at;
    }
  }
  for (;;) {
    auto commits = log.read_stream(stream, read.version, read_batch);
    if (!commits) return to_rejection(commits.error());
    for (const auto& each : *commits) {
      if (upto && each.body.last() > *upto) {
        read.now = std::make_shared<const typename A::state>(std::move(state));
        return read;
      }
      auto version = each.body.first.value;
      BERTH_ASSERT(version == read.version.value + 1);
      for (const auto& record : each.body.events) {
        const auto event = A::decode(record);
        if (!event) return quarantine(stream, {version}, event.error());
        state = A::apply(std::move(state), *event);
        read.version = {version++};
      }
      read.at = each.at();
      read.correlation = each.body.correlation;
    }
    if (commits->size() < read_batch) break;
  }
  read.now = std::make_shared<const typename A::state>(std::move(state));
  return read;
}

}  // namespace berth::actors

template <>
struct std::hash<berth::actors::recorded_key> {
  std::size_t operator()(const berth::actors::recorded_key& key) const noexcept {
    return std::hash<berth::uuid>{}(key.id) * 31 + std::hash<berth::account_id>{}(key.account);
  }
};
