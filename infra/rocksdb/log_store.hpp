// log/: the commits of the embedded engine, offset -> sealed record, and the few facts about the
// log itself. Every write is synced. One writer thread; reads from any thread.
//
// Opening never destroys what it cannot read: damage behind which synced writes follow, and a log
// that ends before `proven`, are refused before anything in the folder is changed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "events/core/commit.hpp"
#include "events/core/lead.hpp"
#include "infra/rocksdb/database.hpp"
#include "infra/rocksdb/record_source.hpp"

namespace berth {

class log_store : public record_source {
 public:
  // Creates the database if the folder holds none and nothing is `proven`. A torn last write is
  // cut.
  static journal_result<std::unique_ptr<log_store>> open(const embedded_options& options,
                                                         std::uint64_t proven);
  // Beside a running writer, or alone; refresh() shows what was written since. Tables that cannot
  // be opened are missing without an error: compare with the head file.
  static journal_result<std::unique_ptr<log_store>> open_secondary(
      const embedded_options& options, const std::filesystem::path& scratch);
  // As it is now, every table opened; may fail beside a running writer that removes one meanwhile.
  static journal_result<std::unique_ptr<log_store>> open_observer(const embedded_options& options);
  // For accept_loss: opens what can be opened, whatever is missing behind it; rebuilds the file
  // list if it must. If the facts about the log cannot be read either, meta_is_damaged says so: it
  // must be copied to a new one.
  static journal_result<std::unique_ptr<log_store>> salvage(const embedded_options& options);

  bool meta_is_damaged() const { return meta_is_damaged_; }

  // All or nothing, on stable storage when it returns.
  rocksdb::Status append(rocksdb::WriteBatch& batch);
  void add(rocksdb::WriteBatch& batch, std::uint64_t offset, std::string_view record) const;

  journal_result<rocksdb::PinnableSlice> read(std::uint64_t offset) const override;
  journal_result<std::uint64_t> last_offset() const;
  std::optional<journal_error> scan(std::uint64_t from, std::uint64_t upto,
                                    const visitor& visit) const override;

  journal_result<leadership> lead() const;  // the last one; zero for a new log
  std::optional<journal_error> set_lead(const leadership& next);

  // Notes for good that the log went on behind `kept` when `claimed` had been reached.
  std::optional<journal_error> note_loss(std::uint64_t kept, std::uint64_t claimed, timestamp now);
  // Records 1 … upto and the lead: the last one noted, or that of the last record.
  std::optional<journal_error> copy_to(log_store& other, std::uint64_t upto) const;
  std::optional<journal_error> refresh();
  rocksdb::Status check_files(const read_pace& pace) const;  // every byte of every table file
  memory_use memory() const;

 private:
  log_store(const embedded_options& options, database&& opened);
  std::optional<journal_error> put_meta(rocksdb::WriteBatch& batch);
  rocksdb::ColumnFamilyHandle* meta() const { return database_.families[0]; }
  rocksdb::ColumnFamilyHandle* records() const { return database_.families[1]; }
  std::optional<journal_error> check_format();

  std::string folder_;
  database database_;
  bool meta_is_damaged_{};
};

}  // namespace berth
