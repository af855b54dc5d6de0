#include "infra/bulk/segment_bulk_log.hpp"

#include <condition_variable>
#include <map>
#include <set>
#include <shared_mutex>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "events/core/invariant.hpp"
#include "infra/bulk/bulk_answers.hpp"
#include "infra/bulk/terminal_log.hpp"
#include "infra/files/durable.hpp"

namespace berth {
namespace {

constexpr int compressor_niceness =
    10;  // gives way, but not so far that a lock it holds could wait for long

class segment_bulk_log : public bulk_log {
 public:
  segment_bulk_log(const bulk_options& options, std::map<terminal_id, terminal_folder>&& loaded)
      : options_{options} {
    for (auto& [terminal, folder] : loaded)
      logs_.emplace(terminal,
                    std::make_shared<terminal_log>(options_, terminal, std::move(folder)));
    writer_ = std::thread{[this] { write_loop(); }};
    if (options_.compress) compressor_ = std::thread{[this] { compress_loop(); }};
  }

  ~segment_bulk_log() override {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    work_.notify_all();
    writer_.join();
    if (compressor_.joinable()) compressor_.join();
  }

  std::uint64_t append(const terminal_id& terminal, std::uint64_t offset, const shared_bytes& data,
                       timestamp arrived) override {
    const auto log = find_or_make(terminal);
    if (failed_) return log->extent().next;
    const auto done = log->append(offset, data, arrived);
    if (done.bytes == 0) return done.next;
    const auto before = unsynced_bytes_.fetch_add(done.bytes);
    if (done.became_dirty) add_dirty(log);
    if (before < options_.sync_bytes && before + done.bytes >= options_.sync_bytes)
      work_.notify_all();
    return done.next;
  }

  journal_result<std::string> read(const terminal_id& terminal, std::uint64_t from,
                                   std::size_t bytes_max) override {
    if (const auto log = find(terminal)) return log->read(from, bytes_max);
    if (auto outside = outside_of(terminal, {}, from)) return *outside;
    return std::string{};
  }

  bulk_extent extent(const terminal_id& terminal) override {
    const auto log = find(terminal);
    return log ? log->extent() : bulk_extent{};
  }

  journal_result<std::vector<bulk_mark>> marks(const terminal_id& terminal, std::uint64_t from,
                                               std::uint64_t to) override {
    if (const auto log = find(terminal)) return log->marks(from, to);
    return std::vector<bulk_mark>{};
  }

  void retain(const terminal_id& terminal, std::uint64_t bytes_max) override {
    const auto log = find_or_make(terminal);
    if (log->retain(bytes_max)) add_dirty(log);
  }

  void finish(const terminal_id& terminal) override {
    const auto log = find(terminal);
    if (log && log->finish()) add_dirty(log);
  }

  void remove(const terminal_id& terminal) override {
    std::shared_ptr<terminal_log> log;
    {
      const std::unique_lock lock{logs_mutex_};
      const auto found = logs_.find(terminal);
      if (found == logs_.end()) return;
      log = std::move(found->second);
      logs_.erase(found);
    }
    if (auto error = log->remove()) fail(*error);
  }

  void on_durable(std::function<void(const terminal_id&, std::uint64_t)> told) override {
    const std::lock_guard lock{mutex_};
    told_ = std::make_shared<const told_function>(std::move(told));
  }

 private:
  using told_function = std::function<void(const terminal_id&, std::uint64_t)>;
  using log_list = std::vector<std::shared_ptr<terminal_log>>;

  std::shared_ptr<terminal_log> find(const terminal_id& terminal) const {
    const std::shared_lock lock{logs_mutex_};
    const auto found = logs_.find(terminal);
    return found == logs_.end() ? nullptr : found->second;
  }

  std::shared_ptr<terminal_log> find_or_make(const terminal_id& terminal) {
    if (auto log = find(terminal)) return log;
    BERTH_ASSERT(is_folder_name(terminal));
    const std::unique_lock lock{logs_mutex_};
    auto& log = logs_[terminal];
    if (!log) log = std::make_shared<terminal_log>(options_, terminal, terminal_folder{});
    return log;
  }

  void add_dirty(const std::shared_ptr<terminal_log>& log) {
    const std::lock_guard lock{mutex_};
    dirty_.push_back(log);
    if (dirty_.size() == 1) work_.notify_all();
  }

  void fail(const journal_error& why) {
    if (failed_.exchange(true)) return;
    BERTH_ASSERT(options_.on_fatal);
    options_.on_fatal(why);
  }

  void write_loop() {
    std::unique_lock lock{mutex_};
    for (;;) {
      work_.wait(lock, [&] { return !dirty_.empty() || stopping_; });
      work_.wait_for(lock, options_.sync_interval_ms,
                     [&] { return stopping_ || unsynced_bytes_ >= options_.sync_bytes; });
      const bool last = stopping_;
      auto dirty = std::exchange(dirty_, {});
      const auto told = told_;
      unsynced_bytes_ = 0;
      lock.unlock();
      for (const auto& log : dirty)
        if (!failed_) write(log, told);
      close_old_files();
      lock.lock();
      if (last && dirty_.empty()) return;
    }
  }

  void write(const std::shared_ptr<terminal_log>& log,
             const std::shared_ptr<const told_function>& told) {
    const auto before = log->extent().durable;
    auto error = log->write_pending();
    const auto durable = log->extent().durable;
    if (!error && durable > before && told && *told) (*told)(log->id(), durable);
    if (!error) error = log->trim();
    if (!error) error = log->close_finished();
    if (error) return fail(*error);
    std::erase(open_, log);
    if (log->has_open_files()) open_.push_back(log);
    const std::lock_guard lock{mutex_};
    if (options_.compress && !stopping_) to_compress_.insert(log);
    work_.notify_all();
  }

  void close_old_files() {
    while (open_.size() > options_.open_files_max) {
      open_.front()->close_files();
      open_.erase(open_.begin());
    }
  }

  void compress_loop() {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), compressor_niceness);
    for (const auto& log : all_logs()) compress(log);  // what the last process left raw
    std::unique_lock lock{mutex_};
    for (;;) {
      work_.wait(lock, [&] { return !to_compress_.empty() || stopping_; });
      if (stopping_) return;
      const auto logs = std::exchange(to_compress_, {});
      lock.unlock();
      for (const auto& log : logs) compress(log);
      lock.lock();
    }
  }

  void compress(const std::shared_ptr<terminal_log>& log) {
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        if (stopping_) return;
      }
      // A segment that cannot be compressed stays raw: its reader is told what is wrong with it.
      const auto more = log->compress_one();
      if (more.has_error() || !*more) return;
    }
  }

  log_list all_logs() const {
    const std::shared_lock lock{logs_mutex_};
    log_list all;
    for (const auto& [terminal, log] : logs_) all.push_back(log);
    return all;
  }

  const bulk_options options_;
  mutable std::shared_mutex logs_mutex_;
  std::map<terminal_id, std::shared_ptr<terminal_log>> logs_;

  std::mutex mutex_;  // guards what the threads wait for
  std::condition_variable work_;
  log_list dirty_;
  std::set<std::shared_ptr<terminal_log>> to_compress_;
  std::shared_ptr<const told_function> told_;
  bool stopping_{};
  std::atomic<std::size_t> unsynced_bytes_{};
  std::atomic<bool> failed_{};

  log_list open_;  // writer thread only: terminals with open files, longest unused first
  std::thread writer_;
  std::thread compressor_;
};

// Folders of the directory whose names are terminals'.
std::vector<terminal_id> terminals_in(const std::filesystem::path& dir) {
  std::vector<terminal_id> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{dir, ignored}) {
    terminal_id terminal{entry.path().filename().string()};
    if (entry.is_directory(ignored) && is_folder_name(terminal))
      found.push_back(std::move(terminal));
  }
  return found;
}

}  // namespace

journal_result<std::unique_ptr<bulk_log>> open_bulk_log(const bulk_options& options) {
  if (auto failed = make_folder(options.dir)) return *failed;
  std::map<terminal_id, terminal_folder> loaded;
  for (const auto& terminal : terminals_in(options.dir)) {
    auto folder = load_folder(options.dir / terminal.value, terminal, folder_use::write);
    if (folder.has_error()) return folder.error();
    loaded.emplace(terminal, std::move(*folder));
  }
  if (auto failed = sync_folder(options.dir)) return *failed;
  return std::unique_ptr<bulk_log>{std::make_unique<segment_bulk_log>(options, std::move(loaded))};
}

journal_result<std::vector<accepted_bulk_loss>> accept_bulk_loss(const bulk_options& options) {
  std::vector<accepted_bulk_loss> mended;
  for (const auto& terminal : terminals_in(options.dir)) {
    const auto path = options.dir / terminal.value;
    const auto folder = load_folder(path, terminal, folder_use::write);
    if (folder.has_value()) continue;
    const auto next = set_aside(path, terminal);
    if (next.has_error()) return next.error();
    mended.push_back({terminal, folder.error().message, *next});
  }
  return mended;
}

}  // namespace berth
