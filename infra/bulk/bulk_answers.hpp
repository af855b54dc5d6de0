// What is the same in every bulk log: the answer to a read outside the extent, and the marks of a
// range. Pure.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "actors/ports/bulk_log.hpp"

namespace berth {

inline std::optional<journal_error> outside_of(const terminal_id& terminal,
                                               const bulk_extent& extent, std::uint64_t from) {
  if (from >= extent.first && from <= extent.next) return std::nullopt;
  return journal_error{journal_errc::not_found,
                       terminal.value + ": offset " + std::to_string(from) + " is outside [" +
                           std::to_string(extent.first) + ", " + std::to_string(extent.next) + ")",
                       std::nullopt};
}

// The marks of [from, to) out of all, in order of offset; the first is moved up to `from` if it
// began before.
inline std::vector<bulk_mark> marks_between(const std::vector<bulk_mark>& all, std::uint64_t from,
                                            std::uint64_t to) {
  const auto after = std::upper_bound(
      all.begin(), all.end(), from,
      [](std::uint64_t wanted, const bulk_mark& mark) { return wanted < mark.offset; });
  std::vector<bulk_mark> found;
  if (after != all.begin() && from < to) found.push_back({from, std::prev(after)->time});
  for (auto at = after; at != all.end() && at->offset < to; ++at) found.push_back(*at);
  return found;
}

}  // namespace berth
