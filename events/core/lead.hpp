// A leader's announcement in the log of a partition that several nodes may write to: the record
// that is the lock. Whoever wants to lead appends one with the epoch after the present one; the
// first in the log wins (reader_rule.hpp). Restate calls it AnnounceLeader.
//
//   stored record = envelope of commit.hpp with magic "BRL1" + FlatBuffer Lead (schemas/commit.fbs)
//     epoch, nonce   of the leadership it begins
//     sequence       of the last commit its writer had applied; for who reads the log by eye
//     previous_hash  chain hash of that commit; the record itself is no link of the chain
#pragma once

#include <string>
#include <string_view>

#include "events/core/commit.hpp"

namespace berth {

// A leadership of a partition. The nonce tells two nodes apart that announce the same epoch.
struct leadership {
  std::uint64_t epoch{};
  std::uint64_t nonce{};
  bool operator==(const leadership&) const = default;
};

struct lead {
  commit_envelope envelope;
  std::string node;
  leadership announced() const { return {envelope.epoch, envelope.nonce}; }
};

std::string seal_lead(const commit_envelope& envelope, const std::string& node);
// `corrupt`, naming `where`, if it is none.
journal_result<lead> open_lead(std::string_view record, position where);

}  // namespace berth
