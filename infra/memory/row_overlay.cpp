#include "infra/memory/row_overlay.hpp"

namespace berth {

std::optional<std::string> row_overlay::get(std::string_view key) const {
  if (const auto changed = changed_.find(key); changed != changed_.end()) return changed->second;
  return stored_->get(key);
}

void row_overlay::put(std::string_view key, std::string_view row) {
  if (const auto at = changed_.find(key); at != changed_.end())
    at->second.emplace(row);
  else
    changed_.emplace(key, row);
}

void row_overlay::erase(std::string_view key) {
  if (const auto at = changed_.find(key); at != changed_.end())
    at->second.reset();
  else
    changed_.emplace(key, std::nullopt);
}

std::vector<std::pair<std::string, std::string>> row_overlay::scan(std::string_view prefix,
                                                                   std::string_view after,
                                                                   std::size_t limit) const {
  // Every changed row below the last stored one can hide at most one stored row.
  const auto hidden = changed_.size() < limit ? limit + changed_.size() : 2 * limit;
  std::vector<std::pair<std::string, std::string>> found;
  std::string from{after};
  while (found.size() < limit) {
    auto stored = stored_->scan(prefix, from, hidden);
    const bool is_last = stored.size() < hidden;
    auto at = from < prefix ? changed_.lower_bound(prefix) : changed_.upper_bound(from);
    auto row = stored.begin();
    while (found.size() < limit) {
      const bool has_changed = at != changed_.end() && at->first.starts_with(prefix) &&
                               (is_last || at->first <= stored.back().first);
      if (row == stored.end() && !has_changed) break;
      if (has_changed && (row == stored.end() || at->first <= row->first)) {
        if (row != stored.end() && at->first == row->first) ++row;
        if (at->second) found.emplace_back(at->first, *at->second);
        ++at;
      } else {
        found.push_back(std::move(*row++));
      }
    }
    if (is_last) break;
    from = stored.back().first;
  }
  return found;
}

}  // namespace berth
