#include "tools/inspect/stream_fold.hpp"

#include <fmt/format.h>

#include "tools/inspect/commit_fold.hpp"

namespace berth::inspect {
namespace {

constexpr std::size_t commits_per_read = 1024;

std::optional<timestamp> time_of(const journal& from, position at) {
  const auto found = from.read(at, 1);
  if (!found || found->empty()) return {};
  return found->front().envelope.time;
}

// The newest snapshot within the bound. Times of commits rise with their offsets, and so do those
// of a stream's snapshots with their versions.
std::optional<snapshot> nearest_snapshot(const journal& from, const stream_id& stream,
                                         const fold_until& until) {
  auto newest = from.load_snapshot(stream, until.version);
  if (!newest) return {};
  if (!until.time) return std::move(*newest);
  std::optional<snapshot> best;
  for (std::uint64_t low = 0, high = newest->upto.value; low < high;) {
    const auto middle = low + (high - low + 1) / 2;
    auto taken = from.load_snapshot(stream, stream_version{middle});
    const auto time = taken ? time_of(from, taken->at) : std::nullopt;
    if (taken && (!time || *time > *until.time)) {
      high = taken->upto.value - 1;
      continue;
    }
    low = middle;
    if (taken) best = std::move(*taken);
  }
  return best;
}

// Where a fold begins.
template <aggregate A>
struct fold_start {
  typename A::state now{};
  folded_state folded;
};

template <aggregate A>
fold_start<A> start_at(const journal& from, std::optional<snapshot> taken) {
  if (!taken || taken->fold_version != A::fold_version) return {};
  auto state = A::decode_state(taken->state);
  // The snapshot may be of a later commit without events.
  const auto last = from.read_stream(taken->stream, {taken->upto.value - 1}, 1);
  if (!state || !last || last->empty()) return {};
  const auto& commit = last->front();
  return {std::move(*state), {taken->upto, commit.at(), commit.envelope.time, {}, {}, {}}};
}

template <aggregate A>
journal_result<folded_state> fold_as(const journal& from, const stream_id& stream,
                                     const fold_until& until, fold_start<A> begun) {
  auto& [now, folded] = begun;
  folded.fold_version = A::fold_version;
  for (bool more = true; more;) {
    const auto commits = from.read_stream(stream, folded.version, commits_per_read);
    if (!commits) return commits.error();
    more = commits->size() == commits_per_read;
    for (const auto& one : *commits) {
      const auto within = fold_commit<A>(one, until, now, folded);
      if (!within) return within.error();
      if (!*within) {
        more = false;
        break;
      }
    }
  }
  if (folded.version.value == 0 && !until.version && !until.time)
    return journal_error{journal_errc::not_found, stream.text() + " has no events", {}};
  folded.state = A::encode_state(now);
  folded.hash = sha256_hex(folded.state);
  return std::move(folded);
}

journal_result<folded_state> fold(const journal& from, const stream_id& stream,
                                  const fold_until& until, std::optional<snapshot> taken) {
  return with_aggregate(stream, journal_errc::not_found, [&]<aggregate A>(std::type_identity<A>) {
    return fold_as<A>(from, stream, until, start_at<A>(from, std::move(taken)));
  });
}

}  // namespace

journal_result<folded_state> fold_stream(const journal& from, const stream_id& stream,
                                         const fold_until& until) {
  return fold(from, stream, until, {});
}

journal_result<folded_state> state_at(const journal& from, const stream_id& stream,
                                      const fold_until& until) {
  return fold(from, stream, until, nearest_snapshot(from, stream, until));
}

}  // namespace berth::inspect
