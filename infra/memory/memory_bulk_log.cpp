#include "infra/memory/memory_bulk_log.hpp"

#include <algorithm>

#include "infra/bulk/bulk_answers.hpp"

namespace berth {

std::uint64_t memory_bulk_log::append(const terminal_id& terminal, std::uint64_t offset,
                                      const shared_bytes& data, timestamp arrived) {
  const std::lock_guard lock{mutex_};
  auto& to = logs_[terminal];
  const auto end = offset + data->size();
  if (offset > to.extent.next || end <= to.extent.next) return to.extent.next;
  const auto repeated = to.extent.next - offset;
  if (refuses_ || end - to.extent.durable > unwritten_bytes_max) return to.extent.next;
  to.marks.push_back({to.extent.next, arrived});
  to.bytes.append(*data, repeated);
  return to.extent.next = end;
}

journal_result<std::string> memory_bulk_log::read(const terminal_id& terminal, std::uint64_t from,
                                                  std::size_t bytes_max) {
  const std::lock_guard lock{mutex_};
  const auto found = logs_.find(terminal);
  const auto extent = found == logs_.end() ? bulk_extent{} : found->second.extent;
  if (auto outside = outside_of(terminal, extent, from)) return *outside;
  if (from == extent.next) return std::string{};
  return found->second.bytes.substr(from - extent.first, bytes_max);
}

bulk_extent memory_bulk_log::extent(const terminal_id& terminal) {
  const std::lock_guard lock{mutex_};
  const auto found = logs_.find(terminal);
  return found == logs_.end() ? bulk_extent{} : found->second.extent;
}

journal_result<std::vector<bulk_mark>> memory_bulk_log::marks(const terminal_id& terminal,
                                                              std::uint64_t from,
                                                              std::uint64_t to) {
  const std::lock_guard lock{mutex_};
  const auto found = logs_.find(terminal);
  if (found == logs_.end()) return std::vector<bulk_mark>{};
  const auto& extent = found->second.extent;
  return marks_between(found->second.marks, std::max(from, extent.first),
                       std::min(to, extent.next));
}

void memory_bulk_log::trim(log& of) {
  if (of.extent.durable - of.extent.first <= of.bytes_max) return;
  const auto first = of.extent.durable - of.bytes_max;
  of.bytes.erase(0, first - of.extent.first);
  of.extent.first = first;
  of.marks = marks_between(of.marks, first, of.extent.next);
}

void memory_bulk_log::retain(const terminal_id& terminal, std::uint64_t bytes_max) {
  const std::lock_guard lock{mutex_};
  auto& log = logs_[terminal];
  log.bytes_max = bytes_max;
  trim(log);
}

void memory_bulk_log::finish(const terminal_id& terminal) {
  const std::lock_guard lock{mutex_};
  logs_[terminal].is_finished = true;
}

bool memory_bulk_log::is_finished(const terminal_id& terminal) {
  const std::lock_guard lock{mutex_};
  return logs_[terminal].is_finished;
}

void memory_bulk_log::remove(const terminal_id& terminal) {
  const std::lock_guard lock{mutex_};
  logs_.erase(terminal);
}

void memory_bulk_log::on_durable(std::function<void(const terminal_id&, std::uint64_t)> told) {
  const std::lock_guard lock{mutex_};
  told_ = std::move(told);
}

void memory_bulk_log::sync() {
  std::vector<std::pair<terminal_id, std::uint64_t>> moved;
  std::function<void(const terminal_id&, std::uint64_t)> told;
  {
    const std::lock_guard lock{mutex_};
    for (auto& [terminal, log] : logs_) {
      if (log.extent.durable == log.extent.next) continue;
      log.extent.durable = log.extent.next;
      trim(log);
      moved.emplace_back(terminal, log.extent.durable);
    }
    told = told_;
  }
  if (told)
    for (const auto& [terminal, durable] : moved) told(terminal, durable);
}

void memory_bulk_log::crash(const std::function<std::uint64_t(std::uint64_t)>& kept) {
  const std::lock_guard lock{mutex_};
  told_ = nullptr;
  refuses_ = false;
  for (auto& [terminal, log] : logs_) {
    const auto unsynced = log.extent.next - log.extent.durable;
    log.extent.durable += kept ? std::min(kept(unsynced), unsynced) : 0;
    log.bytes.resize(log.extent.durable - log.extent.first);
    log.extent.next = log.extent.durable;
    std::erase_if(log.marks, [durable = log.extent.durable](const bulk_mark& mark) {
      return mark.offset >= durable;
    });
  }
}

}  // namespace berth
