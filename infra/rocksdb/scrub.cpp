#include "infra/rocksdb/scrub.hpp"

#include "infra/memory/commit_record.hpp"
#include "infra/rocksdb/wal_scan.hpp"

namespace berth {
namespace {

constexpr std::uint64_t step_commits = 2'000;  // more than what log_store keeps in its cache

// False: the pace ended it.
bool scrub_records(const log_store& log, std::uint64_t durable, const read_pace& pace,
                   const told_problem& found) {
  std::optional<chain_hash> previous{chain_hash{}};
  for (std::uint64_t from = 1; from <= durable;) {
    auto seen = from - 1;
    std::size_t bytes = 0;
    const auto upto = std::min(durable, from + step_commits - 1);
    const auto failed = log.scan(from, upto, [&](std::uint64_t offset, std::string_view record) {
      seen = offset;
      bytes += record.size();
      const auto read = read_commit(record, {0, offset}, previous ? &*previous : nullptr);
      previous.reset();
      if (read.has_error())
        found(read.error());
      else
        previous = read->hash;
      return std::optional<journal_error>{};
    });
    if (failed) {
      found(*failed);
      previous.reset();
      ++seen;
    }
    from = seen + 1;
    if (!pace(bytes)) return false;
  }
  return true;
}

// A log that is written meanwhile may look damaged where it ends: only what two looks find is.
void scrub_write_ahead(const std::filesystem::path& folder, const told_problem& found) {
  const auto first = find_wal_damage(folder);
  if (!first || !first->is_followed) return;
  const auto again = find_wal_damage(folder);
  if (again && again->is_followed && again->file == first->file && again->byte == first->byte)
    found({journal_errc::corrupt,
           first->file.string() + " byte " + std::to_string(first->byte) +
               ": is not as it was written; the server still has it in memory, the next start "
               "will not",
           std::nullopt});
}

}  // namespace

void scrub_log(const log_store& log, const std::filesystem::path& folder, std::uint64_t durable,
               const read_pace& pace, const told_problem& found) {
  if (!scrub_records(log, durable, pace, found)) return;
  scrub_write_ahead(folder, found);
  if (const auto status = log.check_files(pace); !status.ok()) found(error_of(status, folder));
}

void scrub_state(const state_store& state, const std::filesystem::path& folder,
                 const read_pace& pace, const told_problem& found) {
  if (const auto status = state.check_files(pace); !status.ok()) found(error_of(status, folder));
}

}  // namespace berth
