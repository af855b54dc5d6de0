// What a node keeps of a log that lives elsewhere (Kafka): the applied commits of every partition,
// their index, deduplication, snapshots and views, and how far each partition was read, in one
// RocksDB database of one column family. What was applied together is one write, so a crash takes
// rows and reading position back together, and a restart reads on where it was. Not synced: the log
// has it all. No RocksDB types: infra/kafka and the composition root include this.
//
//   DIR/LOCK        held by whoever writes
//   DIR/state/      the database (state_store, with rows of records and partitions: keys.hpp)
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "events/core/journal.hpp"
#include "events/core/reader_rule.hpp"
#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/embedded_stats.hpp"
#include "infra/rocksdb/note_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

struct replica_options {
  embedded_options storage;
  std::uint32_t partitions{1};
  // Which log this is a replica of (cluster id and topic): another one's replica is not used.
  std::string source;
};

class replica {
 public:
  virtual ~replica() = default;

  virtual std::uint32_t partitions() const = 0;
  // As of the last apply().
  virtual partition_state state(std::uint32_t partition) const = 0;

  struct row {
    const commit* happened{};
    std::string_view record;
  };
  // The next commits of a partition and where it was read up to, in one write; may be no commit. A
  // partition is applied to by one thread at a time.
  virtual std::optional<journal_error> apply(const partition_state& at,
                                             std::span<const row> commits) = 0;

  // As of the journal's members of the same names.
  virtual journal_result<stream_version> last_version(const stream_id& stream) const = 0;
  virtual position head(std::uint32_t partition) const = 0;
  virtual journal_result<std::vector<commit>> read_stream(const stream_id& stream,
                                                          stream_version after,
                                                          std::size_t limit) const = 0;
  virtual journal_result<std::vector<commit>> read(position from, std::size_t limit) const = 0;
  virtual std::optional<recorded_command> find_command(const account_id& scope,
                                                       const command_id& id) const = 0;
  virtual journal_result<snapshot> load_snapshot(const stream_id& stream,
                                                 std::optional<stream_version> at_most) const = 0;
  virtual void save_snapshot(const snapshot& taken) = 0;
  virtual journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                              std::size_t limit) const = 0;

  virtual view_store& views() = 0;
  virtual note_store& notes() = 0;
  virtual memory_use memory() const = 0;
};

// Errors:
//   io       the storage failed, or another server holds DIR/LOCK
//   conflict the directory is a replica of another log, or was made for another number of
//   partitions
// A damaged one is removed: it is read anew from the log.
journal_result<std::unique_ptr<replica>> open_replica(const replica_options& options);

}  // namespace berth
