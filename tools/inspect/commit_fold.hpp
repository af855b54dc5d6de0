// One commit onto a stream's state, and what a state is called by. Internal to the folds.
#pragma once

#include <openssl/sha.h>

#include <fmt/format.h>

#include "events/core/aggregate.hpp"
#include "tools/inspect/stream_fold.hpp"

namespace berth::inspect {

inline std::string sha256_hex(const std::string& bytes) {
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

}  // namespace berth::inspect
