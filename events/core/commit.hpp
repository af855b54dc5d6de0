// A commit is what one command wrote: the unit of atomicity, one journal record, one Kafka message.
//
//   stored record = envelope (fixed 96 bytes, little endian) + body (FlatBuffer,
//   schemas/commit.fbs)
//
//   envelope: offset  size
//     magic    0       4    "BRC1" of a commit, "BRL1" of a leader's announcement (lead.hpp)
//     partition 4      4
//     epoch    8       8    owner epoch of the partition's leader
//     nonce   16       8    of that leader
//     sequence 24      8    1, 2, 3 … within the partition, no gap (= position.offset on the
//     embedded engine) time_us 32       8    commit time, assigned by the writer, never decreasing
//     within a partition body_size 40     4 checksum 44      4    CRC-32C of the envelope with this
//     field zero, followed by the body previous_hash 48 32   chain hash of the record before
//     reserved 80      16   zero
//
//   chain hash = SHA-256(previous_hash || envelope bytes 0..43 || body)
// The body's bytes are the same in every engine; the envelope is made anew when a journal is
// copied.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/core/aggregate.hpp"
#include "events/core/ids.hpp"
#include "events/core/journal_error.hpp"
#include "events/core/time.hpp"

namespace berth {

using chain_hash = std::array<std::uint8_t, 32>;

// Who asks: an account, by a session or an API token. `system` is Berth itself (effects,
// deadlines).
struct principal {
  account_id account;
  std::string actor;  // token or session id, or "system"; for the audit view
  bool is_system{};
  bool operator==(const principal&) const = default;
};
principal system_principal(const account_id& on_behalf_of);

// The event that made Berth send this command. Names outlive an engine, so never a position.
struct cause {
  stream_id stream;
  stream_version version;
  bool operator==(const cause&) const = default;
};

struct commit_body {
  stream_id stream;
  stream_version
      first;  // version of events[0]; an eventless commit holds the current version + 0 events
  command_id command;
  std::uint64_t command_hash{};  // of the canonical command; tells a retry from a conflict
  principal by;
  correlation_id correlation;
  std::optional<cause> because;
  timestamp asked_at;  // the shell's clock at decide; events carry what they need themselves
  std::vector<event_record> events;
  std::string
      answer;  // what the command's answer carries beside version and position; may be empty

  stream_version last() const { return {first.value + events.size() - 1}; }
  bool operator==(const commit_body&) const = default;
};

struct commit_envelope {
  static constexpr std::size_t size = 96;
  std::uint32_t partition{};
  std::uint64_t epoch{};
  std::uint64_t nonce{};
  std::uint64_t sequence{};
  timestamp time{};
  chain_hash previous_hash{};
};

struct commit {
  commit_envelope envelope;
  commit_body body;
  position at() const { return {envelope.partition, envelope.sequence}; }
};

// Body <-> FlatBuffer. decode verifies with bounded depth and table count before it reads.
std::string encode_body(const commit_body& body);
journal_result<commit_body> decode_body(std::string_view bytes);

// What a record of a log that several may write to is, by its first four bytes; nothing: not ours.
enum class record_kind : std::uint8_t { commit, lead };
std::optional<record_kind> kind_of(std::string_view record);

// Envelope + body -> record, and the chain hash the next record must carry.
struct sealed_record {
  std::string bytes;
  chain_hash hash;
};
sealed_record seal(const commit_envelope& envelope, std::string_view body_bytes,
                   record_kind kind = record_kind::commit);

// The chain hash of a stored record, computed when asked for: who reads one record alone does not
// need it. Valid as long as the record's bytes are.
class record_hash {
 public:
  explicit record_hash(std::string_view record) : record_{record} {}
  operator chain_hash() const;
  bool operator==(const chain_hash& other) const { return static_cast<chain_hash>(*this) == other; }

 private:
  std::string_view record_;
};

// Checks size, magic, checksum; `expected_previous`, if given, is compared too. Errors name
// `where`.
struct opened_record {
  commit_envelope envelope;
  std::string_view body_bytes;  // into the argument
  record_hash hash;
};
journal_result<opened_record> open_record(std::string_view record, position where,
                                          const chain_hash* expected_previous = nullptr,
                                          record_kind kind = record_kind::commit);

// First 8 bytes (little endian) of SHA-256.
std::uint64_t content_hash(std::string_view canonical);

}  // namespace berth
