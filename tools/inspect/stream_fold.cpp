#include "tools/inspect/stream_fold.hpp"

#include <openssl/sha.h>

#include <fmt/format.h>

#include "events/account/aggregate.hpp"
#include "events/environment/aggregate.hpp"
#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::inspect {
namespace {

constexpr std::size_t commits_per_read = 1024;

std::string sha256_hex(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string hex;
  for (const auto byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
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

template <aggregate A>
journal_result<folded_state> fold_as(const journal& from, const stream_id& stream,
                                     const fold_until& until) {
  typename A::state now{};
  folded_state folded;
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
  return folded;
}

}  // namespace

journal_result<folded_state> fold_stream(const journal& from, const stream_id& stream,
                                         const fold_until& until) {
  switch (stream.kind) {
    case aggregate_kind::account:
      return fold_as<account::aggregate>(from, stream, until);
    case aggregate_kind::session:
      return fold_as<session::aggregate>(from, stream, until);
    case aggregate_kind::environment:
      return fold_as<environment::aggregate>(from, stream, until);
    case aggregate_kind::terminal:
      return fold_as<terminal::aggregate>(from, stream, until);
    case aggregate_kind::host:
      return fold_as<host::aggregate>(from, stream, until);
  }
  return journal_error{journal_errc::not_found, stream.text() + ": unknown kind", {}};
}

}  // namespace berth::inspect
