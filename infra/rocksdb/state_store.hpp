// state/: what can be rebuilt from the log: stream index, deduplication, snapshots, views and their
// checkpoints. Written without sync; it never leads the log. A power cut may keep later ones of the
// unsynced writes and lose earlier ones, so the first start after one drops them all (recovery.hpp)
// and goes on from the tables, which are synced. One index writer thread; everything else from any
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "events/core/journal.hpp"
#include "infra/memory/commit_index.hpp"
#include "infra/rocksdb/database.hpp"
#include "infra/rocksdb/head_file.hpp"

namespace rocksdb {
class CompactionFilter;
class WriteBatch;
}  // namespace rocksdb

namespace berth {

class state_store {
 public:
  // `corrupt` means: remove the folder and open again, it will be rebuilt.
  static journal_result<std::unique_ptr<state_store>> open(const embedded_options& options);
  static journal_result<std::unique_ptr<state_store>> open_secondary(
      const embedded_options& options, const std::filesystem::path& scratch);
  static journal_result<std::unique_ptr<state_store>> open_observer(
      const embedded_options& options);
  ~state_store();

  // --- index: up to and including `indexed` ---
  journal_result<durable_mark> indexed() const;
  // `next` begins right behind the last index(); `at` is the mark of its last commit. One atomic
  // write. unlogged: for a rebuild; lost as a whole by a crash before the flush() that must follow.
  enum class index_write : char { logged, unlogged };
  std::optional<journal_error> index(std::span<const indexed_commit* const> next,
                                     const durable_mark& at, index_write how = index_write::logged);
  // The rows of index() alone, of any partition, to be written with others.
  void add_index_rows(std::span<const indexed_commit* const> next, std::uint32_t partition,
                      rocksdb::WriteBatch& batch) const;
  std::optional<journal_error> flush();
  // Places with version > after, oldest first, appended until `into` holds `limit`.
  std::optional<journal_error> places_after(const stream_id& stream, stream_version after,
                                            std::size_t limit,
                                            std::vector<stream_place>& into) const;
  journal_result<std::optional<stream_place>> last_of(const stream_id& stream) const;
  struct command_place {
    timestamp time;
    position at;
  };
  journal_result<std::optional<command_place>> find(const command_key& command) const;
  // Names of streams > after, in order.
  journal_result<std::vector<std::string>> list(const std::string& after, std::size_t limit) const;
  // Deduplication rows older than this may be dropped by compaction.
  void set_oldest_command(timestamp oldest);

  // --- snapshots ---
  std::optional<journal_error> save(const snapshot& taken);
  // The newest readable one with upto <= at_most, of a commit no later than `head`.
  std::optional<snapshot> newest_snapshot(const stream_id& stream,
                                          std::optional<stream_version> at_most,
                                          position head) const;

  // --- evidence of how far the log once reached ---
  struct proof {
    std::string what;  // "view usage generation 2"
    std::uint64_t offset{};
  };
  journal_result<std::vector<proof>> proofs() const;

  std::optional<journal_error> refresh();  // secondary
  rocksdb::Status check_files(const read_pace& pace) const {
    return berth::check_files(*database_.db, pace);
  }
  memory_use memory() const { return memory_of(*database_.db); }
  rocksdb::DB& db() const { return *database_.db; }
  // For files on their way into it; empty at each start.
  std::filesystem::path filling_folder() const { return filling_folder_of(folder_); }

 private:
  static std::filesystem::path filling_folder_of(const std::filesystem::path& folder) {
    return folder / "filling";
  }
  state_store(std::unique_ptr<rocksdb::CompactionFilter> filter, std::string folder,
              database&& opened);

  std::unique_ptr<rocksdb::CompactionFilter> filter_;  // outlives database_
  std::string folder_;
  database database_;
  std::mutex save_mutex_;  // the snapshot mark only grows
};

}  // namespace berth
