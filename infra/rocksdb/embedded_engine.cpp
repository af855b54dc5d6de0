#include "infra/rocksdb/embedded_engine.hpp"

#include <random>

#include "infra/files/durable.hpp"
#include "infra/rocksdb/directory_lock.hpp"
#include "infra/rocksdb/recovery.hpp"
#include "infra/rocksdb/rocksdb_journal.hpp"
#include "infra/rocksdb/rocksdb_view_store.hpp"
#include "infra/rocksdb/scrub.hpp"
#include "infra/rocksdb/state_notes.hpp"
#include "infra/telemetry/system_clock.hpp"

namespace berth {
namespace {

std::uint64_t random_nonce() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

class opened_engine : public embedded_engine {
 public:
  opened_engine(directory_lock lock, std::unique_ptr<log_store> log,
                std::unique_ptr<state_store> state)
      : lock_{std::move(lock)},
        log_{std::move(log)},
        state_{std::move(state)},
        views_{*state_},
        notes_{*state_} {}
  ~opened_engine() override {
    journal_.reset();
    state_->flush();  // should it fail, the next start reads a little more of the log
  }

  void start(const embedded_options& options, head_file head, recovered_log&& recovered,
             const leadership& lead) {
    epoch_ = lead.epoch;
    journal_ = std::make_unique<rocksdb_journal>(options, *log_, *state_, std::move(head),
                                                 std::move(recovered), lead);
  }

  berth::journal& journal() override { return *journal_; }
  view_store& views() override { return views_; }
  std::uint64_t epoch() const override { return epoch_; }
  embedded_stats stats() const override { return journal_->stats(); }
  memory_use memory() const override {
    const auto log = log_->memory(), state = state_->memory();
    return {log.memtable_bytes + state.memtable_bytes,
            log.block_cache_bytes + state.block_cache_bytes};
  }
  note_store& notes() override { return notes_; }
  void scrub(const read_pace& pace, const told_problem& found) override {
    journal_->scrub(pace, found);
  }

 private:
  directory_lock lock_;
  std::unique_ptr<log_store> log_;
  std::unique_ptr<state_store> state_;
  rocksdb_view_store views_;
  state_notes notes_;
  std::uint64_t epoch_{};
  std::unique_ptr<rocksdb_journal> journal_;
};

// A log without its head file has lost the proof of where it ended.
std::optional<journal_error> check_head_exists(const embedded_options& options,
                                               const std::optional<durable_mark>& head) {
  if (head || !holds_database(options.log_dir())) return std::nullopt;
  return journal_error{
      journal_errc::corrupt,
      options.head_path().string() +
          ": missing beside a log, so the end of the log is unproven; restore it, or run "
          "berth-inspect accept-loss",
      std::nullopt};
}

// Copies what is intact into a new log: a damaged table would stay in the way of every later read.
// The damaged one is kept beside it.
std::optional<journal_error> replace_log(const embedded_options& options,
                                         std::unique_ptr<log_store>& log, std::uint64_t upto) {
  std::error_code error;
  auto fresh_options = options;
  fresh_options.data_dir = options.data_dir / "accepting-loss";
  std::filesystem::remove_all(fresh_options.data_dir, error);
  if (auto failed = make_folder(fresh_options.data_dir)) return failed;
  {
    auto fresh = log_store::open(fresh_options, 0);
    if (fresh.has_error()) return fresh.error();
    if (auto failed = log->copy_to(**fresh, upto)) return failed;
  }
  log.reset();
  auto aside = options.data_dir / "log.damaged";
  for (int n = 2; std::filesystem::exists(aside); ++n)
    aside = options.data_dir / ("log.damaged-" + std::to_string(n));
  std::filesystem::rename(options.log_dir(), aside, error);
  if (!error) std::filesystem::rename(fresh_options.log_dir(), options.log_dir(), error);
  if (!error) std::filesystem::remove_all(fresh_options.data_dir, error);
  if (error)
    return journal_error{journal_errc::io,
                         options.log_dir().string() + ": cannot be replaced: " + error.message(),
                         std::nullopt};
  auto opened = log_store::open(options, upto);
  if (opened.has_error()) return opened.error();
  log = std::move(*opened);
  return std::nullopt;
}

}  // namespace

embedded_options with_clock(embedded_options options) {
  static const system_clock machine;
  if (!options.time) options.time = &machine;
  if (options.boot.empty()) options.boot = boot_id();
  return options;
}

journal_result<std::unique_ptr<embedded_engine>> open_embedded(const embedded_options& asked) {
  const auto options = with_clock(asked);
  if (auto error = make_folder(options.data_dir)) return *error;
  auto lock = directory_lock::take(options.lock_path());
  if (lock.has_error()) return lock.error();
  const auto head = head_file::read(options.head_path());
  if (head.has_error()) return head.error();
  if (auto error = check_head_exists(options, *head)) return *error;
  // Before the log: a first start that ends in between must not leave a log without its head.
  if (!*head)
    if (auto made = head_file::open(options.head_path(), {}); made.has_error()) return made.error();
  auto log = log_store::open(options, *head ? (*head)->offset : 0);
  if (log.has_error()) return log.error();
  auto state = open_state(options);
  if (state.has_error()) return state.error();
  auto recovered = recover(options, **log, *state, *head);
  if (recovered.has_error()) return recovered.error();
  const auto before = (*log)->lead();
  if (before.has_error()) return before.error();
  const leadership lead{before->epoch + 1, random_nonce()};
  if (auto error = (*log)->set_lead(lead)) return *error;
  auto head_now = head_file::open(options.head_path(), recovered->end);
  if (head_now.has_error()) return head_now.error();
  auto engine =
      std::make_unique<opened_engine>(std::move(*lock), std::move(*log), std::move(*state));
  engine->start(options, std::move(*head_now), std::move(*recovered), lead);
  return std::unique_ptr<embedded_engine>{std::move(engine)};
}

bool is_served(const embedded_options& options, std::string* holder) {
  return directory_lock::is_held(options.lock_path(), holder);
}

journal_result<accepted_loss> accept_loss(const embedded_options& asked) {
  const auto options = with_clock(asked);
  auto lock = directory_lock::take(options.lock_path());
  if (lock.has_error()) return lock.error();
  const auto head = head_file::read(options.head_path());
  const auto proven = head.has_value() && *head ? (*head)->offset : 0;
  auto log = log_store::salvage(options);
  if (log.has_error()) return log.error();
  const auto intact = intact_prefix(options, **log);
  const auto ends_at = (*log)->last_offset();  // an error if the damage is there
  const auto reached = ends_at.has_value() ? *ends_at : intact.end.offset;
  const accepted_loss loss{{0, intact.end.offset}, {0, std::max(proven, reached)}};
  if (ends_at.has_error() || intact.end.offset < reached || (*log)->meta_is_damaged())
    if (auto error = replace_log(options, *log, intact.end.offset)) return *error;
  if (auto error = (*log)->note_loss(loss.kept.offset, loss.claimed.offset, options.time->now()))
    return *error;
  std::error_code error;
  std::filesystem::remove_all(options.state_dir(), error);
  if (error)
    return journal_error{journal_errc::io,
                         options.state_dir().string() + ": cannot be removed: " + error.message(),
                         std::nullopt};
  const auto written = head_file::open(options.head_path(), intact.end);
  if (written.has_error()) return written.error();
  return loss;
}

}  // namespace berth
