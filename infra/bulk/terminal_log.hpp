// One terminal's log. append, read and the like are called from any thread and never wait for the
// disk's sync; write_pending, trim and compress_one are called by the log's own threads.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <vector>

#include "actors/ports/bulk_log.hpp"
#include "infra/bulk/bulk_options.hpp"
#include "infra/bulk/terminal_folder.hpp"
#include "infra/rocksdb/head_file.hpp"

namespace berth {

class terminal_log {
 public:
  terminal_log(const bulk_options& options, terminal_id terminal, terminal_folder&& loaded);

  struct appended {
    std::uint64_t next{};
    std::size_t bytes{};  // taken
    bool became_dirty{};  // first since the last write
  };
  appended append(std::uint64_t offset, const shared_bytes& data, timestamp arrived);
  journal_result<std::string> read(std::uint64_t from, std::size_t bytes_max) const;
  journal_result<std::vector<bulk_mark>> marks(std::uint64_t from, std::uint64_t to) const;
  bulk_extent extent() const;
  // Whether the log's thread must look at it.
  bool retain(std::uint64_t bytes_max);
  bool finish();                          // likewise
  std::optional<journal_error> remove();  // waits for a running write

  // Writes and syncs what is pending; afterwards durable() covers it.
  std::optional<journal_error> write_pending();
  std::optional<journal_error> trim();
  // Once nothing more comes: the open segment, if it holds anything.
  std::optional<journal_error> close_finished();
  // Compresses the oldest closed raw segment; false if there is none.
  journal_result<bool> compress_one();
  void close_files();
  bool has_open_files() const { return static_cast<bool>(file_); }
  const terminal_id& id() const { return terminal_; }

 private:
  struct pending_bytes {
    std::uint64_t offset{};
    timestamp time;
    shared_bytes data;
    std::size_t skip{};
    std::uint64_t end() const { return offset + data->size() - skip; }
    std::string_view bytes() const { return std::string_view{*data}.substr(skip); }
  };
  struct range;

  range collect(std::uint64_t from, std::uint64_t to) const;
  std::optional<journal_error> visit(std::uint64_t from, std::uint64_t to,
                                     const block_visitor& each) const;
  std::optional<journal_error> ensure_mark();
  std::optional<journal_error> ensure_files(std::uint64_t first);
  // Where the file ends afterwards.
  journal_result<std::uint64_t> write_blocks(const std::vector<pending_bytes>& taken,
                                             std::vector<segment::signpost>& signposts) const;
  std::optional<journal_error> close_segment();
  std::size_t segment_bytes() const;

  const bulk_options& options_;
  const terminal_id terminal_;
  const std::filesystem::path folder_;
  const std::uint32_t seed_;

  mutable std::mutex mutex_;  // guards up to `removed_`; held for microseconds
  bulk_extent extent_;
  std::vector<segment> closed_;
  std::optional<segment> open_;
  std::deque<pending_bytes> pending_;
  std::uint64_t bytes_max_ = ~0ULL;
  bool dirty_{};
  bool removed_{};
  bool finished_{};

  std::mutex
      files_mutex_;  // guards the files below and all changes of the folder; held while syncing
  file file_;
  std::uint64_t file_bytes_{};
  std::optional<head_file> mark_;
};

}  // namespace berth
