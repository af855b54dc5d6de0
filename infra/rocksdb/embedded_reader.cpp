// A data directory read from outside, and verified.
#include <atomic>
#include <filesystem>
#include <unordered_map>

#include <unistd.h>

#include "events/core/invariant.hpp"
#include "infra/memory/commit_record.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/rocksdb/head_file.hpp"
#include "infra/rocksdb/journal_reads.hpp"
#include "infra/rocksdb/log_store.hpp"
#include "infra/rocksdb/rocksdb_view_store.hpp"

namespace berth {
namespace {

// The private folder a secondary instance writes its own info log to.
class scratch_folder {
 public:
  scratch_folder() {
    static std::atomic<unsigned> count{};
    path_ = std::filesystem::temp_directory_path() /
            ("berth-reader-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::error_code ignored;  // RocksDB names the folder if it cannot use it
    std::filesystem::create_directories(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class reader_journal : public journal {
 public:
  explicit reader_journal(const journal_reads& reads) : reads_{reads} {}

  std::optional<journal_error> append(const commit_body& body, std::uint64_t,
                                      std::shared_ptr<append_listener>) override {
    return journal_error{
        journal_errc::closed, body.stream.text() + ": this journal is opened for reading", {}};
  }
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override {
    return reads_.read_stream(stream, after, limit);
  }
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
    return reads_.read(from, limit);
  }
  position head(std::uint32_t) const override { return {0, reads_.durable()}; }
  std::uint32_t partitions() const override { return 1; }
  std::shared_ptr<void> follow(std::function<void(position)>) override { return nullptr; }
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override {
    return reads_.find_command(scope, id);
  }
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most) const override {
    return reads_.load_snapshot(stream, at_most);
  }
  void save_snapshot(const snapshot&) override {}
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override {
    return reads_.list_streams(after, limit);
  }

 private:
  const journal_reads& reads_;
};

journal_error ends_early(const embedded_options& options, std::uint64_t ends_at,
                         std::uint64_t proven) {
  return {journal_errc::data_loss,
          options.log_dir().string() + ": the log ends at offset " + std::to_string(ends_at) +
              ", but " + options.head_path().string() + " has seen offset " +
              std::to_string(proven),
          position{0, ends_at}};
}

// A server beside us may remove a table between the reading of the list and the opening of the
// file.
constexpr int open_attempts_max = 5;
template <class Store>
journal_result<std::unique_ptr<Store>> observe(const embedded_options& options) {
  for (int attempt = 1;; ++attempt) {
    auto opened = Store::open_observer(options);
    if (opened.has_value() || attempt == open_attempts_max || !is_served(options)) return opened;
  }
}

class opened_reader : public embedded_reader {
 public:
  explicit opened_reader(const embedded_options& options) : options_{options} {}

  std::optional<journal_error> open() {
    const auto head = head_file::read(options_.head_path());
    if (head.has_error()) return head.error();
    auto log = log_store::open_secondary(options_, scratch_ / "log");
    if (log.has_error()) return log.error();
    auto state = state_store::open_secondary(options_, scratch_ / "state");
    if (state.has_error()) return state.error();
    log_ = std::move(*log);
    state_ = std::move(*state);
    const auto indexed = state_->indexed();
    if (indexed.has_error()) return indexed.error();
    reads_.emplace(options_, *log_, *state_, position{0, indexed->offset}, timestamp{},
                   [](const journal_error&) {});
    journal_.emplace(*reads_);
    views_.emplace(*state_);
    return load_tail(indexed->offset, *head);
  }

  const berth::journal& journal() const override { return *journal_; }
  const view_store& views() const override { return *views_; }

  std::optional<journal_error> refresh() override {
    // state/ first: what it indexes is then in the log.
    if (auto error = state_->refresh()) return error;
    const auto indexed = state_->indexed();
    if (indexed.has_error()) return indexed.error();
    const auto head = head_file::read(options_.head_path());
    if (head.has_error()) return head.error();
    if (auto error = log_->refresh()) return error;
    const auto held = reads_->indexed();
    // Behind a tail that was skipped as a whole, a new one begins.
    if (indexed->offset > reads_->durable()) {
      journal_.reset();
      reads_.emplace(options_, *log_, *state_, position{0, indexed->offset}, timestamp{},
                     [](const journal_error&) {});
      journal_.emplace(*reads_);
    } else if (indexed->offset > held) {
      reads_->drop_indexed(indexed->offset - held);
    }
    return load_tail(reads_->durable(), *head);
  }

 private:
  // Adds what is durable behind `from` to the tail. `head` was read before the log, which therefore
  // reaches it.
  std::optional<journal_error> load_tail(std::uint64_t from,
                                         const std::optional<durable_mark>& head) {
    const auto last = log_->last_offset();
    if (last.has_error()) return last.error();
    const auto end = head ? head->offset : *last;
    if (*last < end) return ends_early(options_, *last, end);
    std::vector<indexed_commit> tail;
    timestamp time{};
    auto failed = log_->scan(from + 1, end, [&](std::uint64_t offset, std::string_view bytes) {
      const auto read = read_commit(bytes, {0, offset});
      if (read.has_error()) return std::optional{read.error()};
      tail.push_back(indexed_commit::of(read->happened, bytes.size()));
      time = read->happened.envelope.time;
      return std::optional<journal_error>{};
    });
    if (!tail.empty()) reads_->publish(std::move(tail), time);
    return failed;
  }

  const embedded_options options_;
  scratch_folder scratch_;
  std::unique_ptr<log_store> log_;
  std::unique_ptr<state_store> state_;
  std::optional<journal_reads> reads_;
  std::optional<reader_journal> journal_;
  std::optional<rocksdb_view_store> views_;
};

// The walk of verify: every record against the one before and against its stream.
class record_walk {
 public:
  explicit record_walk(verify_report& report) : report_{report} {}

  void visit(std::uint64_t offset, std::string_view bytes) {
    const position where{0, offset};
    auto read = read_commit(bytes, where, previous_ ? &*previous_ : nullptr);
    if (read.has_error()) {
      add(read.error());
      // A broken link says nothing about the record's own content.
      read = read_commit(bytes, where);
    }
    if (read.has_error()) return forget_link();
    previous_ = read->hash;
    const auto& [envelope, body] = read->happened;
    ++report_.commits;
    report_.events += body.events.size();
    report_.bytes += bytes.size();
    auto& last = last_of_[body.stream];
    if (body.first.value != last + 1)
      add({journal_errc::corrupt,
           place(offset) + body.stream.text() + " version " + std::to_string(body.first.value) +
               " follows version " + std::to_string(last),
           where});
    last = body.last().value;
    if (envelope.time < time_)
      add({journal_errc::corrupt, place(offset) + "commit time goes back", where});
    if (envelope.epoch < epoch_)
      add({journal_errc::corrupt, place(offset) + "epoch goes back", where});
    time_ = envelope.time;
    epoch_ = envelope.epoch;
  }

  void add(journal_error problem) {
    if (report_.problems.size() < verify_report::problems_max)
      report_.problems.push_back(std::move(problem));
  }
  void finish() {
    report_.streams = last_of_.size();
    if (previous_) report_.head_hash = *previous_;
  }
  void forget_link() { previous_.reset(); }

 private:
  static std::string place(std::uint64_t offset) {
    return "partition 0 offset " + std::to_string(offset) + ": ";
  }

  verify_report& report_;
  std::optional<chain_hash> previous_{chain_hash{}};
  std::unordered_map<stream_id, std::uint64_t> last_of_;
  timestamp time_{};
  std::uint64_t epoch_{};
};

constexpr std::uint64_t verify_step_commits = 10'000;

}  // namespace

journal_result<std::unique_ptr<embedded_reader>> open_reader(const embedded_options& options) {
  auto reader = std::make_unique<opened_reader>(with_clock(options));
  if (auto error = reader->open()) return *error;
  return std::unique_ptr<embedded_reader>{std::move(reader)};
}

journal_result<verify_report> verify(const embedded_options& asked,
                                     const verify_progress& progress) {
  const auto options = with_clock(asked);
  const auto head = head_file::read(options.head_path());
  if (head.has_error()) return head.error();
  const auto log = observe<log_store>(options);
  if (log.has_error()) return log.error();
  const auto last = (*log)->last_offset();
  if (last.has_error()) return last.error();
  verify_report report;
  record_walk walk{report};
  const auto proven = *head ? (*head)->offset : *last;
  report.head = {0, std::min(*last, proven)};
  if (*last < proven) walk.add(ends_early(options, *last, proven));
  for (std::uint64_t from = 1; from <= report.head.offset;) {
    std::uint64_t seen = from - 1;
    const auto upto = std::min(report.head.offset, from + verify_step_commits - 1);
    const auto failed = (*log)->scan(from, upto, [&](std::uint64_t offset, std::string_view bytes) {
      seen = offset;
      walk.visit(offset, bytes);
      return std::optional<journal_error>{};
    });
    if (failed) {
      walk.add(*failed);
      walk.forget_link();
      ++seen;
    }
    from = seen + 1;
    if (progress) progress(seen, report.head.offset);
  }
  walk.finish();
  if (const auto status = (*log)->check_files(at_once); !status.ok())
    walk.add(error_of(status, options.log_dir()));
  const auto state = observe<state_store>(options);
  if (state.has_error())
    walk.add(state.error());
  else if (const auto status = (*state)->check_files(at_once); !status.ok())
    walk.add(error_of(status, options.state_dir()));
  return report;
}

}  // namespace berth
