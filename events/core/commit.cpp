#include "events/core/commit.hpp"

#include <bit>
#include <cstring>
#include <memory>

#include <flatbuffers/flatbuffers.h>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"
#include "schemas/commit_generated.h"

namespace berth {
namespace {

static_assert(std::endian::native == std::endian::little,
              "envelopes are copied as they lie in memory");

constexpr std::uint32_t commit_magic = 0x31435242;  // "BRC1"
constexpr std::uint32_t lead_magic = 0x314c5242;    // "BRL1"
constexpr std::size_t body_bytes_max = 64 << 20;
constexpr unsigned body_depth_max = 4;
constexpr unsigned body_tables_max = 65'537;  // one commit and its events
constexpr std::size_t hashed_bytes = 44;      // of the envelope; the checksum itself is left out
constexpr std::size_t uuid_bytes = 16;
constexpr std::size_t flatbuffer_alignment_bytes = 16;

// Byte offsets of the envelope's fields, as drawn in the header.
enum field : std::size_t {
  at_magic = 0,
  at_partition = 4,
  at_epoch = 8,
  at_nonce = 16,
  at_sequence = 24,
  at_time = 32,
  at_body_size = 40,
  at_checksum = 44,
  at_previous_hash = 48,
  at_reserved = 80
};

template <class T>
void store(char* envelope, std::size_t at, T value) {
  std::memcpy(envelope + at, &value, sizeof value);
}

template <class T>
T load(std::string_view record, std::size_t at) {
  T value;
  std::memcpy(&value, record.data() + at, sizeof value);
  return value;
}

std::uint32_t magic_of(record_kind kind) {
  return kind == record_kind::commit ? commit_magic : lead_magic;
}

std::string_view text_of(const chain_hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::uint32_t checksum_of(std::string_view record) {
  constexpr std::string_view zero{"\0\0\0\0", 4};
  const auto before = crc32c(zero, crc32c(record.substr(0, at_checksum)));
  return crc32c(record.substr(at_previous_hash), before);
}

chain_hash hash_of(std::string_view record) {
  return sha256({record.substr(at_previous_hash, sizeof(chain_hash)),
                 record.substr(0, hashed_bytes), record.substr(commit_envelope::size)});
}

std::string place(position where) {
  return "partition " + std::to_string(where.partition) + " offset " + std::to_string(where.offset);
}

journal_error corrupt(position where, const std::string& what) {
  return {journal_errc::corrupt, place(where) + ": " + what, where};
}

journal_error bad_body(const std::string& what) {
  return {journal_errc::corrupt, "commit body: " + what, std::nullopt};
}

bool is_known(aggregate_kind kind) {
  switch (kind) {
    case aggregate_kind::account:
    case aggregate_kind::session:
    case aggregate_kind::environment:
    case aggregate_kind::terminal:
    case aggregate_kind::host:
      return true;
  }
  return false;
}

using byte_vector = flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>>;

byte_vector bytes_of(flatbuffers::FlatBufferBuilder& builder, std::string_view bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

byte_vector bytes_of(flatbuffers::FlatBufferBuilder& builder, const uuid& id) {
  return builder.CreateVector(id.bytes.data(), id.bytes.size());
}

std::string string_of(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes ? std::string{reinterpret_cast<const char*>(bytes->data()), bytes->size()}
               : std::string{};
}

std::string string_of(const flatbuffers::String* text) {
  return text ? text->str() : std::string{};
}

// An absent id is nil; any other size than 16 bytes is not an id.
bool read_uuid(const flatbuffers::Vector<std::uint8_t>* bytes, uuid& into) {
  if (!bytes) return true;
  if (bytes->size() != uuid_bytes) return false;
  std::memcpy(into.bytes.data(), bytes->data(), uuid_bytes);
  return true;
}

journal_result<commit_body> body_of(const fb::CommitBody& stored) {
  commit_body body;
  body.stream = {static_cast<aggregate_kind>(stored.kind()), stored.key()->str()};
  if (!is_known(body.stream.kind))
    return bad_body("aggregate kind " + std::to_string(stored.kind()) +
                    " is unknown to this build");
  if (stored.first() == 0) return bad_body("first version is 0; versions start at 1");
  body.first = {stored.first()};
  if (!read_uuid(stored.command(), body.command)) return bad_body("command id is not 16 bytes");
  body.command_hash = stored.command_hash();
  body.by = {{string_of(stored.account())}, string_of(stored.actor()), stored.is_system()};
  if (!read_uuid(stored.correlation(), body.correlation))
    return bad_body("correlation id is not 16 bytes");
  if (stored.cause_kind() != 0) {
    const auto kind = static_cast<aggregate_kind>(stored.cause_kind());
    if (!is_known(kind)) return bad_body("kind of the cause is unknown to this build");
    body.because = cause{{kind, string_of(stored.cause_key())}, {stored.cause_version()}};
  }
  body.asked_at = from_us(stored.asked_at_us());
  if (stored.events()) {
    body.events.reserve(stored.events()->size());
    for (const auto* event : *stored.events())
      body.events.push_back({event->type(), string_of(event->payload())});
  }
  body.answer = string_of(stored.answer());
  return body;
}

}  // namespace

principal system_principal(const account_id& on_behalf_of) {
  return {on_behalf_of, "system", true};
}

std::string encode_body(const commit_body& body) {
  BERTH_ASSERT(body.first.value > 0);
  BERTH_ASSERT(body.events.size() < body_tables_max);
  thread_local flatbuffers::FlatBufferBuilder builder{1024};
  builder.Clear();
  std::vector<flatbuffers::Offset<fb::EventRecord>> events;
  events.reserve(body.events.size());
  for (const auto& event : body.events) {
    const auto payload = bytes_of(builder, event.payload);
    events.push_back(fb::CreateEventRecord(builder, event.type, payload));
  }
  const auto key = builder.CreateString(body.stream.key);
  const auto command = bytes_of(builder, body.command);
  const auto account = builder.CreateString(body.by.account.value);
  const auto actor = builder.CreateString(body.by.actor);
  const auto correlation = bytes_of(builder, body.correlation);
  const auto cause_key = body.because ? builder.CreateString(body.because->stream.key)
                                      : flatbuffers::Offset<flatbuffers::String>{};
  const auto event_list = builder.CreateVector(events);
  const auto answer = bytes_of(builder, body.answer);
  builder.Finish(fb::CreateCommitBody(
      builder, static_cast<std::uint8_t>(body.stream.kind), key, body.first.value, command,
      body.command_hash, account, actor, body.by.is_system, correlation,
      body.because ? static_cast<std::uint8_t>(body.because->stream.kind) : std::uint8_t{0},
      cause_key, body.because ? body.because->version.value : 0, to_us(body.asked_at), event_list,
      answer));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

journal_result<commit_body> decode_body(std::string_view bytes) {
  if (bytes.size() > body_bytes_max) return bad_body("larger than 64 MiB");
  // The verifier checks alignment against the buffer's start only, so the start itself must be
  // aligned.
  std::unique_ptr<char[]> copy;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % flatbuffer_alignment_bytes != 0) {
    copy.reset(new char[bytes.size()]);
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    bytes = {copy.get(), bytes.size()};
  }
  const auto* start = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier{start, bytes.size(), body_depth_max, body_tables_max};
  if (!verifier.VerifyBuffer<fb::CommitBody>(nullptr))
    return bad_body("not a commit of schemas/commit.fbs");
  return body_of(*flatbuffers::GetRoot<fb::CommitBody>(start));
}

std::optional<record_kind> kind_of(std::string_view record) {
  if (record.size() < commit_envelope::size) return std::nullopt;
  const auto magic = load<std::uint32_t>(record, at_magic);
  if (magic == commit_magic) return record_kind::commit;
  if (magic == lead_magic) return record_kind::lead;
  return std::nullopt;
}

sealed_record seal(const commit_envelope& envelope, std::string_view body_bytes, record_kind kind) {
  BERTH_ASSERT(envelope.sequence > 0 || kind == record_kind::lead);
  BERTH_ASSERT(body_bytes.size() <= body_bytes_max);
  char head[commit_envelope::size] = {};
  store(head, at_magic, magic_of(kind));
  store(head, at_partition, envelope.partition);
  store(head, at_epoch, envelope.epoch);
  store(head, at_nonce, envelope.nonce);
  store(head, at_sequence, envelope.sequence);
  store(head, at_time, std::int64_t{to_us(envelope.time)});
  store(head, at_body_size, static_cast<std::uint32_t>(body_bytes.size()));
  store(head, at_previous_hash, envelope.previous_hash);
  sealed_record record;
  record.bytes.reserve(sizeof head + body_bytes.size());
  record.bytes.append(head, sizeof head).append(body_bytes);
  store(record.bytes.data(), at_checksum, checksum_of(record.bytes));
  record.hash = hash_of(record.bytes);
  return record;
}

journal_result<opened_record> open_record(std::string_view record, position where,
                                          const chain_hash* expected_previous, record_kind kind) {
  if (record.size() < commit_envelope::size)
    return corrupt(where, "record of " + std::to_string(record.size()) +
                              " bytes is shorter than its envelope");
  if (load<std::uint32_t>(record, at_magic) != magic_of(kind))
    return corrupt(where, kind == record_kind::commit ? "record does not begin with BRC1"
                                                      : "record does not begin with BRL1");
  const auto body_size = load<std::uint32_t>(record, at_body_size);
  if (body_size != record.size() - commit_envelope::size)
    return corrupt(where, "record says its body has " + std::to_string(body_size) +
                              " bytes, it has " +
                              std::to_string(record.size() - commit_envelope::size));
  if (load<std::uint32_t>(record, at_checksum) != checksum_of(record) &&
      !BERTH_MUTANT(checksum_not_checked))
    return corrupt(where, "checksum does not match");
  opened_record opened{{}, record.substr(commit_envelope::size), record_hash{record}};
  opened.envelope.partition = load<std::uint32_t>(record, at_partition);
  opened.envelope.epoch = load<std::uint64_t>(record, at_epoch);
  opened.envelope.nonce = load<std::uint64_t>(record, at_nonce);
  opened.envelope.sequence = load<std::uint64_t>(record, at_sequence);
  opened.envelope.time = from_us(load<std::int64_t>(record, at_time));
  opened.envelope.previous_hash = load<chain_hash>(record, at_previous_hash);
  if (expected_previous && *expected_previous != opened.envelope.previous_hash &&
      !BERTH_MUTANT(chain_not_checked))
    return corrupt(where, "chain hash does not match the record before");
  return opened;
}

record_hash::operator chain_hash() const {
  return hash_of(record_);
}

std::uint64_t content_hash(std::string_view canonical) {
  const auto digest = sha256({canonical});
  return load<std::uint64_t>(text_of(digest), 0);
}

}  // namespace berth
