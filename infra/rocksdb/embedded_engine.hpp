// The embedded engine as the composition root and the tools see it: a journal and a view store in
// one data directory. No RocksDB types here.
//
//   DIR/LOCK            held by whoever writes; names its process
//   DIR/head            last durable position
//   DIR/log/  state/    RocksDB databases
//   DIR/state.damaged   present if a start must rebuild state/
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/core/journal.hpp"
#include "infra/files/read_pace.hpp"
#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/embedded_stats.hpp"
#include "infra/rocksdb/note_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

class embedded_engine {
 public:
  virtual ~embedded_engine() = default;  // writes and completes what is queued first
  virtual berth::journal& journal() = 0;
  virtual view_store& views() = 0;
  virtual std::uint64_t epoch() const = 0;  // previous start's + 1; recorded before this returned
  virtual embedded_stats stats() const = 0;
  virtual memory_use memory() const = 0;  // asks both databases: dearer than stats()
  virtual note_store& notes() = 0;
  // Reads all of log/ and state/ again, in the caller's thread. Damage of the log is told; damage
  // of state/ is fatal as on read, and rebuilt by the next start.
  virtual void scrub(const read_pace& pace,
                     const std::function<void(const journal_error&)>& found) = 0;
};

// Creates the directory if there is none. Errors:
//   io         the storage failed, or another server holds DIR/LOCK (see is_served)
//   data_loss  the log ends before the head file, a snapshot or a view; both positions are named
//   corrupt    a record, or a file of log/, cannot be read; the place is named
// A torn last write that was never acknowledged is cut; a damaged state/ is rebuilt.
journal_result<std::unique_ptr<embedded_engine>> open_embedded(const embedded_options& options);

// Whether a server has the directory open now, and its process id if it could be read.
bool is_served(const embedded_options& options, std::string* holder = nullptr);

// What the operator gave up to start again: everything behind `kept`, the last record that is
// intact and linked.
struct accepted_loss {
  position kept;
  position claimed;  // the furthest position that head file or log named
};
// Ends the log there (a damaged one is kept as DIR/log.damaged), removes state/ (it is rebuilt) and
// notes the loss in the log's metadata. Needs DIR/LOCK.
journal_result<accepted_loss> accept_loss(const embedded_options& options);

// Reads a directory, also while a server writes it, and stops at the durable head. Appends are
// refused `closed`, followers are not woken; views are read only.
class embedded_reader {
 public:
  virtual ~embedded_reader() = default;
  virtual const berth::journal& journal() const = 0;
  virtual const view_store& views() const = 0;
  // Shows what was written since; readers of the journal must not run meanwhile.
  virtual std::optional<journal_error> refresh() = 0;
};
journal_result<std::unique_ptr<embedded_reader>> open_reader(const embedded_options& options);

// Every record walked: checksum, chain, body, order of the versions of every stream, time and epoch
// never back; then every byte of every table file.
struct verify_report {
  std::uint64_t commits{};
  std::uint64_t events{};
  std::uint64_t streams{};
  std::uint64_t bytes{};
  position head;
  chain_hash head_hash{};
  static constexpr std::size_t problems_max = 100;
  std::vector<journal_error> problems;  // empty: all is well
};
using verify_progress = std::function<void(std::uint64_t done, std::uint64_t of)>;
journal_result<verify_report> verify(const embedded_options& options,
                                     const verify_progress& progress = {});

}  // namespace berth
