// The journal port: where commits are appended, and its specification. One conformance suite
// (tests/infra/journal_conformance.hpp) runs over every implementation; memory is the reference.
//
//   partition 0:   offset  1    2    3    4    5    6
//                        [A1] [B1] [A2] [C1] [A3] [B2]     A1 = the commit of stream A whose first
//                        event is version 1
//                                          ^durable head = 4: read and follow show 1..4;
//                                           5 and 6 are queued: nobody but their writers knows of
//                                           them
//
// Rules
//  J1  append is acknowledged only when the record and every record before it are on stable
//  storage. J2  Offsets start at 1 and have no gap. The commits of one stream are in version order
//  without a gap:
//      an append whose `first` is not the stream's next version is refused `conflict` and writes
//      nothing. A commit without events (an accepted command that changed nothing) has first = next
//      version.
//  J3  Records become durable in append order; completions are delivered in that order.
//  J4  Commit time is assigned by the writer and never decreases within a partition.
//  J5  read and follow show durable commits only, each exactly once, in offset order.
//  J6  A failed sync ends the writer: everything queued is completed `unknown_outcome`, later
//  appends get
//      `closed`; the embedded engine then ends the process. A sync is never retried.
//  J7  No byte of a record is handed out unless its checksum matched; the chain link too when the
//  record before
//      is read with it. Otherwise `corrupt`, naming the position.
//  J8  find_command knows every durable commit within the deduplication window (by commit time).
//  J9  Snapshots are a cache: a missing, bad or newer-than-head one is `not_found`; save never
//  blocks an append.
//
// Threads: append, read… may be called from any thread. Completions run on the journal's writer
// thread and must not block or call append's completion again synchronously.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "events/core/commit.hpp"
#include "events/core/ids.hpp"
#include "events/core/journal_error.hpp"

namespace berth {

// One finished append. `ticket` is the caller's own number, returned as given.
struct append_result {
  std::uint64_t ticket{};
  stream_version last;  // version of the stream after the commit
  position at;          // meaningful if !error
  std::optional<journal_error> error;
};

// Receives all results of one group commit that belong to it in one call, in append order (J3).
class append_listener {
 public:
  virtual ~append_listener() = default;
  virtual void appended(std::span<const append_result> results) = 0;
};

// What a retried command finds.
struct recorded_command {
  stream_id stream;
  stream_version last;  // the version the stream had after the commit
  std::uint64_t command_hash{};
  position at;
  timestamp time;
  std::string answer;
};

// `upto` = version folded into the state; `offset` = position of that commit, to check against the
// head.
struct snapshot {
  stream_id stream;
  stream_version upto;
  position at;
  std::uint32_t fold_version{};
  std::string state;
};

class journal {
 public:
  virtual ~journal() = default;

  // Queues a commit. Never blocks. `listener` is kept until its result was delivered. An error
  // returned here means nothing was queued and no completion will come: overloaded (queue bound),
  // closed, too_large, conflict.
  virtual std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                              std::shared_ptr<append_listener> listener) = 0;

  // Commits of one stream with last version > `after`, oldest first, durable only, at most `limit`.
  virtual journal_result<std::vector<commit>> read_stream(const stream_id& stream,
                                                          stream_version after,
                                                          std::size_t limit) const = 0;

  // Commits from `from` (inclusive) to the durable head, oldest first, at most `limit`.
  virtual journal_result<std::vector<commit>> read(position from, std::size_t limit) const = 0;

  // Last durable position of the partition; offset 0 = empty.
  virtual position head(std::uint32_t partition = 0) const = 0;
  virtual std::uint32_t partitions() const = 0;

  // Which leadership of this node the stream's partition is under: another number each time it
  // began to lead, 0 while it does not. What was read under one may be old under the next, and is
  // not read anew under none.
  virtual std::uint64_t leadership_of(const stream_id&) const { return 1; }
  // Told apart from other journals in clients' cursors; empty: it needs not be.
  virtual std::string cursor_tag() const { return {}; }

  // `wake` is called (on the writer thread) whenever the durable head moved; the reader then calls
  // read(). Returns a handle; the subscription ends when it is destroyed (and no call is running
  // then).
  virtual std::shared_ptr<void> follow(std::function<void(position head)> wake) = 0;

  // Deduplication scope is the principal's account (J8).
  virtual std::optional<recorded_command> find_command(const account_id& scope,
                                                       const command_id& id) const = 0;

  // Newest usable snapshot of the stream with upto <= `at_most` (default: any).
  virtual journal_result<snapshot> load_snapshot(
      const stream_id& stream, std::optional<stream_version> at_most = {}) const = 0;
  // Kept soon, not at once, and not if it is of a commit that is not durable. Never blocks.
  virtual void save_snapshot(const snapshot& taken) = 0;

  // Streams known to the index with a name > `after`, in order of name, at most `limit`; empty kind
  // = all.
  virtual journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                              std::size_t limit) const = 0;
};

}  // namespace berth
