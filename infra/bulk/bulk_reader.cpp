// Bulk logs read from outside, up to what was durable when the folder was looked at. Who reads a
// terminal from end to end has it looked at once, not once a piece: it may hold thousands of files.
#include <memory>
#include <mutex>

#include "infra/bulk/segment_bulk_log.hpp"
#include "infra/bulk/terminal_log.hpp"

namespace berth {
namespace {

class bulk_reader : public bulk_log {
 public:
  explicit bulk_reader(const bulk_options& options) : options_{options} {}

  std::uint64_t append(const terminal_id& terminal, std::uint64_t, const shared_bytes&,
                       timestamp) override {
    return extent(terminal).next;
  }

  journal_result<std::string> read(const terminal_id& terminal, std::uint64_t from,
                                   std::size_t bytes_max) override {
    if (const auto log = kept(terminal); log && from < log->extent().durable)
      if (auto found = log->read(from, bytes_max); found.has_value()) return found;
    return retried<std::string>(terminal,
                                [&](const terminal_log& log) { return log.read(from, bytes_max); });
  }

  bulk_extent extent(const terminal_id& terminal) override {
    const auto log = load(terminal);
    return log.has_value() ? (*log)->extent() : bulk_extent{};
  }

  journal_result<std::vector<bulk_mark>> marks(const terminal_id& terminal, std::uint64_t from,
                                               std::uint64_t to) override {
    return retried<std::vector<bulk_mark>>(
        terminal, [&](const terminal_log& log) { return log.marks(from, to); });
  }

  void retain(const terminal_id&, std::uint64_t) override {}
  void remove(const terminal_id&) override {}
  void on_durable(std::function<void(const terminal_id&, std::uint64_t)>) override {}

 private:
  static constexpr int attempts_max =
      5;  // the server renames and drops files while they are listed and read

  std::shared_ptr<const terminal_log> kept(const terminal_id& terminal) const {
    const std::lock_guard lock{mutex_};
    return terminal == kept_terminal_ ? kept_log_ : nullptr;
  }

  journal_result<std::shared_ptr<const terminal_log>> load(const terminal_id& terminal) const {
    if (!is_folder_name(terminal))
      return journal_error{journal_errc::not_found,
                           "'" + terminal.value + "' is no terminal's name", std::nullopt};
    auto folder = load_folder(options_.dir / terminal.value, terminal, folder_use::read);
    if (folder.has_error()) return folder.error();
    auto log = std::make_shared<const terminal_log>(options_, terminal, std::move(*folder));
    const std::lock_guard lock{mutex_};
    kept_terminal_ = terminal;
    return kept_log_ = std::move(log);
  }

  template <class T, class Reading>
  journal_result<T> retried(const terminal_id& terminal, Reading reading) const {
    for (int attempt = 1;; ++attempt) {
      const auto log = load(terminal);
      auto found = log.has_error() ? journal_result<T>{log.error()} : reading(**log);
      if (found.has_value() || attempt == attempts_max) return found;
    }
  }

  const bulk_options options_;
  mutable std::mutex mutex_;
  mutable terminal_id kept_terminal_;  // the one looked at last
  mutable std::shared_ptr<const terminal_log> kept_log_;
};

}  // namespace

journal_result<std::unique_ptr<bulk_log>> open_bulk_reader(const bulk_options& options) {
  if (!std::filesystem::is_directory(options.dir))
    return journal_error{journal_errc::not_found, options.dir.string() + ": no such folder",
                         std::nullopt};
  return std::unique_ptr<bulk_log>{std::make_unique<bulk_reader>(options)};
}

}  // namespace berth
