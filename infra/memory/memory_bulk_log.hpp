// The reference bulk log, durable when sync() is called. Any thread; callbacks run in the caller of
// sync().
#pragma once

#include <map>
#include <mutex>

#include "actors/ports/bulk_log.hpp"

namespace berth {

class memory_bulk_log : public bulk_log {
 public:
  static constexpr std::uint64_t unwritten_bytes_max = 16 << 20;  // above durable, a terminal

  std::uint64_t append(const terminal_id& terminal, std::uint64_t offset, const shared_bytes& data,
                       timestamp arrived) override;
  journal_result<std::string> read(const terminal_id& terminal, std::uint64_t from,
                                   std::size_t bytes_max) override;
  bulk_extent extent(const terminal_id& terminal) override;
  journal_result<std::vector<bulk_mark>> marks(const terminal_id& terminal, std::uint64_t from,
                                               std::uint64_t to) override;
  void retain(const terminal_id& terminal, std::uint64_t bytes_max) override;
  void finish(const terminal_id& terminal) override;
  void remove(const terminal_id& terminal) override;
  void on_durable(std::function<void(const terminal_id&, std::uint64_t durable)> told) override;

  // Makes everything appended durable and tells.
  void sync();
  bool is_finished(const terminal_id& terminal);
  // The server dies: of the bytes above `durable` the disk has as many as `kept` says (default:
  // none), nobody listens any more.
  void crash(const std::function<std::uint64_t(std::uint64_t unsynced)>& kept = {});
  // A full disk: nothing more is taken.
  void refuse(bool all) { refuses_ = all; }

 private:
  struct log {
    bulk_extent extent;
    std::string bytes;  // of [extent.first, extent.next)
    std::vector<bulk_mark> marks;
    std::uint64_t bytes_max = ~0ULL;
    bool is_finished{};
  };
  static void trim(log& of);

  bool refuses_{};
  std::mutex mutex_;
  std::map<terminal_id, log> logs_;
  std::function<void(const terminal_id&, std::uint64_t)> told_;
};

}  // namespace berth
