#include "events/core/reader_rule.hpp"

#include <cstring>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth {
namespace {

// partition (4) version (4) epoch (8) nonce (8) sequence (8) time (8) next offset (8) hash (32)
constexpr std::uint32_t state_format = 1;
constexpr std::size_t state_bytes = 80;

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
void get(std::string_view& from, T& value) {
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
}

judgement skipped(verdict why) {
  return {why, std::nullopt, std::nullopt};
}

journal_result<judgement> judge_lead(partition_state& state, std::string_view record,
                                     position where) {
  auto announced = open_lead(record, where);
  if (announced.has_error()) return announced.error();
  if (announced->envelope.partition != state.partition) return judgement{verdict::foreign, {}, {}};
  const bool is_next = announced->envelope.epoch == state.leader.epoch + 1;
  const bool taken = is_next || BERTH_MUTANT(lead_of_any_epoch_taken);
  if (taken) state.leader = announced->announced();
  return judgement{taken ? verdict::lead_taken : verdict::void_lead, std::nullopt,
                   std::move(*announced)};
}

journal_result<judgement> judge_commit(partition_state& state, std::string_view record,
                                       position where, const version_of_stream& last_version) {
  const auto opened = open_record(record, where);
  if (opened.has_error()) return opened.error();
  const auto& envelope = opened->envelope;
  if (envelope.partition != state.partition) return skipped(verdict::foreign);
  // Before the first Lead nobody leads, whatever a record says.
  const bool leads =
      state.leader.epoch > 0 && leadership{envelope.epoch, envelope.nonce} == state.leader;
  if (!leads && !BERTH_MUTANT(commit_of_any_leader_applied)) return skipped(verdict::other_leader);
  if (!BERTH_MUTANT(sequence_not_checked)) {
    if (envelope.sequence <= state.sequence) return skipped(verdict::repeated);
    if (envelope.sequence != state.sequence + 1) return skipped(verdict::out_of_order);
    if (envelope.previous_hash != state.hash && !BERTH_MUTANT(commit_of_any_leader_applied))
      return journal_error{journal_errc::corrupt,
                           "partition " + std::to_string(where.partition) + " offset " +
                               std::to_string(where.offset) +
                               ": chain hash does not match the commit before",
                           where};
  }
  auto body = decode_body(opened->body_bytes);
  if (body.has_error()) {
    auto error = body.error();
    error.message = "partition " + std::to_string(where.partition) + " offset " +
                    std::to_string(where.offset) + ": " + error.message;
    error.where = where;
    return error;
  }
  if (last_version) {
    const auto last = last_version(body->stream);
    if (last.has_error()) return last.error();
    if (body->first.value != last->value + 1) return skipped(verdict::wrong_version);
  }
  state.sequence = envelope.sequence;
  state.hash = opened->hash;
  state.time = envelope.time;
  return judgement{verdict::applied, commit{envelope, std::move(*body)}, std::nullopt};
}

}  // namespace

std::string encode_partition_state(const partition_state& state) {
  std::string bytes;
  put(bytes, state.partition);
  put(bytes, state_format);
  put(bytes, state.leader.epoch);
  put(bytes, state.leader.nonce);
  put(bytes, state.sequence);
  put(bytes, std::int64_t{to_us(state.time)});
  put(bytes, state.next_offset);
  put(bytes, state.hash);
  BERTH_ASSERT(bytes.size() == state_bytes);
  return bytes;
}

std::optional<partition_state> decode_partition_state(std::string_view bytes) {
  if (bytes.size() != state_bytes) return std::nullopt;
  partition_state state;
  std::uint32_t format = 0;
  std::int64_t time_us = 0;
  get(bytes, state.partition);
  get(bytes, format);
  if (format != state_format) return std::nullopt;
  get(bytes, state.leader.epoch);
  get(bytes, state.leader.nonce);
  get(bytes, state.sequence);
  get(bytes, time_us);
  get(bytes, state.next_offset);
  get(bytes, state.hash);
  state.time = from_us(time_us);
  return state;
}

const char* name_of(verdict what) {
  switch (what) {
    case verdict::applied:
      return "applied";
    case verdict::lead_taken:
      return "lead_taken";
    case verdict::void_lead:
      return "void_lead";
    case verdict::other_leader:
      return "other_leader";
    case verdict::repeated:
      return "repeated";
    case verdict::out_of_order:
      return "out_of_order";
    case verdict::wrong_version:
      return "wrong_version";
    case verdict::foreign:
      return "foreign";
  }
  return "unknown";
}

journal_result<judgement> judge(partition_state& state, std::string_view record,
                                std::uint64_t offset, const version_of_stream& last_version) {
  const position where{state.partition, offset};
  auto after = state;
  const auto kind = kind_of(record);
  journal_result<judgement> judged{skipped(verdict::foreign)};
  if (kind == record_kind::lead) judged = judge_lead(after, record, where);
  if (kind == record_kind::commit) judged = judge_commit(after, record, where, last_version);
  if (judged.has_error()) return judged;
  after.next_offset = offset + 1;
  state = after;
  return judged;
}

}  // namespace berth
