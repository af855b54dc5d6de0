#include "infra/memory/commit_record.hpp"

#include "infra/memory/journal_limits.hpp"

namespace berth {
namespace {

std::string place(position where) {
  return "partition " + std::to_string(where.partition) + " offset " + std::to_string(where.offset);
}

}  // namespace

journal_result<read_record> read_commit(std::string_view record, position where,
                                        const chain_hash* expected_previous) {
  auto opened = open_record(record, where, expected_previous);
  if (opened.has_error()) return opened.error();
  if (opened->envelope.sequence != where.offset || opened->envelope.partition != where.partition)
    return journal_error{journal_errc::corrupt,
                         place(where) + ": holds the record of partition " +
                             std::to_string(opened->envelope.partition) + " offset " +
                             std::to_string(opened->envelope.sequence),
                         where};
  auto body = decode_body(opened->body_bytes);
  if (body.has_error())
    return journal_error{body.error().code, place(where) + ": " + body.error().message, where};
  return read_record{{opened->envelope, std::move(*body)}, opened->hash};
}

recorded_command recorded_from(const commit& happened) {
  return {happened.body.stream, happened.body.last(),   happened.body.command_hash,
          happened.at(),        happened.envelope.time, happened.body.answer};
}

std::optional<journal_error> check_joins(const stream_id& stream, stream_version before,
                                         const commit& next) {
  // The first commit read may begin at or before the version asked for; none may leave one out.
  if (next.body.stream == stream && next.body.first.value <= before.value + 1) return std::nullopt;
  return journal_error{journal_errc::corrupt,
                       place(next.at()) + ": " + next.body.stream.text() + " version " +
                           std::to_string(next.body.first.value) + " where " + stream.text() +
                           " version " + std::to_string(before.value + 1) + " was expected",
                       next.at()};
}

journal_error conflict_of(const commit_body& body, stream_version next) {
  return {journal_errc::conflict,
          body.stream.text() + ": the next version is " + std::to_string(next.value) + ", not " +
              std::to_string(body.first.value),
          std::nullopt};
}

journal_error too_large_of(const commit_body& body, std::size_t record_bytes) {
  return {journal_errc::too_large,
          body.stream.text() + ": a commit of " + std::to_string(record_bytes) +
              " bytes, at most " + std::to_string(commit_bytes_max) + " are stored",
          std::nullopt};
}

}  // namespace berth
