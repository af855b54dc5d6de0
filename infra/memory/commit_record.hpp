// From stored record to what readers of a journal get; every engine reads through these. Pure; any
// thread.
#pragma once

#include <string_view>

#include "events/core/commit.hpp"
#include "events/core/journal.hpp"

namespace berth {

struct read_record {
  commit happened;
  record_hash hash;  // the next record's previous_hash; valid as long as the record's bytes are
};

// Checks the record (J7) and that it is the one stored at `where`, then decodes its body.
journal_result<read_record> read_commit(std::string_view record, position where,
                                        const chain_hash* expected_previous = nullptr);

recorded_command recorded_from(const commit& happened);

// Commits of one stream read one after the other must join: nothing if `next` belongs to `stream`
// and is what follows version `before`.
std::optional<journal_error> check_joins(const stream_id& stream, stream_version before,
                                         const commit& next);

journal_error conflict_of(const commit_body& body, stream_version next);
journal_error too_large_of(const commit_body& body, std::size_t record_bytes);

}  // namespace berth
