#include "infra/rocksdb/recovery.hpp"

#include <fstream>
#include <limits>

#include "infra/files/durable.hpp"
#include "infra/memory/commit_record.hpp"

namespace berth {
namespace {

constexpr std::uint64_t progress_step_commits = 50'000;
constexpr std::size_t rebuild_group_commits = 65'536;  // the more, the fewer rows a stream

void tell(const embedded_options& options, const std::string& what, std::uint64_t done,
          std::uint64_t of) {
  if (options.on_progress) options.on_progress(what, done, of);
}

std::optional<journal_error> remove_state(const embedded_options& options) {
  std::error_code error;
  std::filesystem::remove_all(options.state_dir(), error);
  if (!error) std::filesystem::remove(options.state_damaged_path(), error);
  if (!error) return std::nullopt;
  return journal_error{journal_errc::io,
                       options.state_dir().string() + ": cannot be removed: " + error.message(),
                       std::nullopt};
}

journal_error loss(const std::string& proof, std::uint64_t proven, std::uint64_t ends_at) {
  return {journal_errc::data_loss,
          "the log ends at offset " + std::to_string(ends_at) + ", but " + proof +
              " has seen offset " + std::to_string(proven) +
              "; restore the folder, or run berth-inspect accept-loss",
          position{0, ends_at}};
}

enum class agreement : char { same, other_history };

// Whether the record at the mark is the one the mark was made of.
journal_result<agreement> compare(const log_store& log, const durable_mark& mark) {
  if (mark.offset == 0) return agreement::same;
  const auto record = log.read(mark.offset);
  if (record.has_error()) {
    auto error = record.error();
    if (error.code == journal_errc::not_found) error.code = journal_errc::corrupt;
    return error;
  }
  const auto opened = open_record(record->ToStringView(), {0, mark.offset});
  if (opened.has_error()) return opened.error();
  return opened->hash == mark.hash ? agreement::same : agreement::other_history;
}

journal_result<timestamp> time_at(const log_store& log, std::uint64_t offset) {
  if (offset == 0) return timestamp{};
  const auto record = log.read(offset);
  if (record.has_error()) return record.error();
  const auto opened = open_record(record->ToStringView(), {0, offset});
  if (opened.has_error()) return opened.error();
  return opened->envelope.time;
}

// Checks everything behind `from`. The last commits are left to the index writer: the first answer
// must not wait for them. What is before them is indexed here, in large groups, since a crash now
// only means to begin again.
journal_result<recovered_log> catch_up(const embedded_options& options, const log_store& log,
                                       state_store& state, const durable_mark& from,
                                       std::uint64_t end) {
  const auto last_time = time_at(log, end);
  if (last_time.has_error()) return last_time.error();
  state.set_oldest_command(*last_time - options.limits.deduplication_window);
  const auto left = options.index_lag_commits_max / 2 + options.index_lag_commits_max / 4;
  const auto indexed_upto = end - from.offset > left ? end - left : from.offset;
  recovered_log at{from, *last_time, {}};
  auto& group = at.unindexed;
  const auto write_group = [&]() -> std::optional<journal_error> {
    std::vector<const indexed_commit*> next;
    for (const auto& happened : group) next.push_back(&happened);
    auto error = state.index(next, at.end, state_store::index_write::unlogged);
    group.clear();
    return error;
  };
  const auto failed =
      log.scan(from.offset + 1, end, [&](std::uint64_t offset, std::string_view bytes) {
        const auto read = read_commit(bytes, {0, offset}, &at.end.hash);
        if (read.has_error()) return std::optional{read.error()};
        at.end = {offset, read->hash};
        group.push_back(indexed_commit::of(read->happened, bytes.size()));
        if (offset % progress_step_commits == 0) tell(options, "checking the log", offset, end);
        const bool is_full = group.size() == rebuild_group_commits || offset == indexed_upto;
        return offset <= indexed_upto && is_full ? write_group() : std::nullopt;
      });
  if (failed) return *failed;
  if (indexed_upto > from.offset)
    if (auto unflushed = state.flush()) return *unflushed;
  return at;
}

std::optional<journal_error> check_proofs(const embedded_options& options, const state_store& state,
                                          const std::optional<durable_mark>& head,
                                          std::uint64_t end) {
  if (head && head->offset > end) return loss(options.head_path().string(), head->offset, end);
  const auto proofs = state.proofs();
  if (proofs.has_error()) return proofs.error();
  for (const auto& proof : *proofs)
    if (proof.offset > end) return loss(proof.what, proof.offset, end);
  return std::nullopt;
}

journal_result<recovered_log> recover_once(const embedded_options& options, const log_store& log,
                                           std::unique_ptr<state_store>& state,
                                           const std::optional<durable_mark>& head,
                                           bool& state_is_foreign) {
  const auto end = log.last_offset();
  if (end.has_error()) return end.error();
  if (auto lost = check_proofs(options, *state, head, *end)) return *lost;
  if (head) {
    const auto same = compare(log, *head);
    if (same.has_error()) return same.error();
    if (*same != agreement::same)
      return journal_error{journal_errc::corrupt,
                           options.head_path().string() + " and " + options.log_dir().string() +
                               " disagree about the record at offset " +
                               std::to_string(head->offset),
                           position{0, head->offset}};
  }
  const auto mark = state->indexed();
  if (mark.has_error()) return mark.error();
  const auto same = compare(log, *mark);
  if (same.has_error()) return same.error();
  state_is_foreign = *same != agreement::same;
  if (state_is_foreign) return recovered_log{};
  return catch_up(options, log, *state, *mark, *end);
}

// Whether an error is about state/ and not about the log: only then is a rebuild a remedy.
bool is_of_state(const embedded_options& options, const journal_error& error) {
  return error.code == journal_errc::corrupt &&
         error.message.starts_with(options.state_dir().string());
}

// RocksDB takes zeros in a write-ahead log, or a log that is missing between two, for the end of
// nothing: rows would be missing from the middle of state/ for good.
std::optional<journal_error> drop_unsynced_state(const embedded_options& options) {
  std::ifstream noted{options.boot_path()};
  std::string boot;
  std::getline(noted, boot);
  if (boot == options.boot) return std::nullopt;
  std::error_code error;
  if (std::filesystem::is_directory(options.state_dir(), error)) {
    std::vector<std::filesystem::path> unsynced;
    for (const auto& entry : std::filesystem::directory_iterator{options.state_dir(), error})
      if (entry.path().extension() == ".log") unsynced.push_back(entry.path());
    for (const auto& each : unsynced)
      if (!error) std::filesystem::remove(each, error);
    if (error)
      return journal_error{journal_errc::io,
                           options.state_dir().string() + ": cannot be cut: " + error.message(),
                           std::nullopt};
    if (auto failed = sync_folder(options.state_dir())) return failed;
  }
  return write_whole_file(options.boot_path(), options.boot + "\n");
}

}  // namespace

journal_result<std::unique_ptr<state_store>> open_state(const embedded_options& options) {
  if (auto error = drop_unsynced_state(options)) return *error;
  if (std::filesystem::exists(options.state_damaged_path())) {
    tell(options, "state/ was found damaged and is rebuilt", 0, 0);
    if (auto error = remove_state(options)) return *error;
  }
  auto opened = state_store::open(options);
  if (opened.has_value()) return opened;
  // A file that is missing or cut is an I/O error to RocksDB; whatever it was, the log has it all.
  // If the disk itself fails, the second try says so.
  tell(options, opened.error().message + "; it is rebuilt from the log", 0, 0);
  if (auto error = remove_state(options)) return *error;
  return state_store::open(options);
}

journal_result<recovered_log> recover(const embedded_options& options, const log_store& log,
                                      std::unique_ptr<state_store>& state,
                                      const std::optional<durable_mark>& head) {
  bool foreign = false;
  auto found = recover_once(options, log, state, head, foreign);
  if (found.has_error() ? !is_of_state(options, found.error()) : !foreign) return found;
  tell(options, "state/ does not belong to this log or is damaged; it is rebuilt", 0, 0);
  state.reset();
  if (auto error = remove_state(options)) return *error;
  auto fresh = state_store::open(options);
  if (fresh.has_error()) return fresh.error();
  state = std::move(*fresh);
  return recover_once(options, log, state, head, foreign);
}

recovered_log intact_prefix(const embedded_options& options, const log_store& log) {
  // The end itself may be what is damaged.
  const auto end = log.last_offset();
  const auto claimed = end.has_value() ? *end : std::numeric_limits<std::uint64_t>::max() - 1;
  recovered_log at;
  // Where it stops is the answer, not a failure.
  log.scan(1, claimed, [&](std::uint64_t offset, std::string_view bytes) {
    const auto read = read_commit(bytes, {0, offset}, &at.end.hash);
    if (read.has_error()) return std::optional{read.error()};
    at.end = {offset, read->hash};
    at.last_time = read->happened.envelope.time;
    if (offset % progress_step_commits == 0) tell(options, "checking the log", offset, claimed);
    return std::optional<journal_error>{};
  });
  return at;
}

}  // namespace berth
