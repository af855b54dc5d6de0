#include "infra/memory/row_overlay.hpp"

#include <algorithm>
#include <map>

#include "events/core/invariant.hpp"

namespace berth {
namespace {

constexpr std::size_t row_bytes = 128;  // beside key and value: the strings, a node or its slot

}  // namespace

std::optional<std::string> row_overlay::get(std::string_view key) const {
  auto found = known_.find(key);
  if (found == known_.end()) found = known_.emplace(key, row{stored_->get(key), false, true}).first;
  found->second.was_read = true;
  return found->second.value;
}

void row_overlay::change(std::string_view key, std::optional<std::string_view> to) {
  auto at = known_.find(key);
  if (at == known_.end()) at = known_.emplace(key, row{}).first;
  if (!std::exchange(at->second.is_changed, true)) {
    changed_.push_back(&*at);
    changed_bytes_ += row_bytes + key.size();
  } else if (at->second.value) {
    changed_bytes_ -= at->second.value->size();
  }
  if (to) {
    at->second.value.emplace(*to);
    changed_bytes_ += to->size();
  } else {
    at->second.value.reset();
  }
}

void row_overlay::put(std::string_view key, std::string_view row) {
  change(key, row);
}

void row_overlay::erase(std::string_view key) {
  change(key, std::nullopt);
}

void row_overlay::append(std::string_view key, std::string_view row) {
  appended_.emplace_back(key, row);
  changed_bytes_ += row_bytes + key.size() + row.size();
}

void row_overlay::sort_changed() {
  std::sort(changed_.begin(), changed_.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  std::sort(appended_.begin(), appended_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  BERTH_ASSERT(std::adjacent_find(appended_.begin(), appended_.end(), [](auto& a, auto& b) {
                 return a.first == b.first;
               }) == appended_.end());
}

void row_overlay::written() {
  for (auto* each : changed_) {
    each->second.is_changed = false;
    // Most rows are written once and never looked at by a fold.
    if (!each->second.was_read) known_.erase(known_.find(each->first));
  }
  changed_.clear();
  appended_.clear();
  changed_bytes_ = 0;
  if (known_.size() > known_rows_max_) known_.clear();
}

std::vector<std::pair<std::string, std::string>> row_overlay::scan(std::string_view prefix,
                                                                   std::string_view after,
                                                                   std::size_t limit) const {
  std::map<std::string_view, const std::optional<std::string>*> changed;
  for (const auto* each : changed_) changed.emplace(each->first, &each->second.value);
  for (const auto& each : appended_) changed.emplace(each.first, &each.second);
  // Every changed row below the last stored one can hide at most one stored row.
  const auto hidden = changed.size() < limit ? limit + changed.size() : 2 * limit;
  std::vector<std::pair<std::string, std::string>> found;
  std::string from{after};
  while (found.size() < limit) {
    auto stored = stored_->scan(prefix, from, hidden);
    const bool is_last = stored.size() < hidden;
    auto at = from < prefix ? changed.lower_bound(prefix) : changed.upper_bound(from);
    auto row = stored.begin();
    while (found.size() < limit) {
      const bool has_changed = at != changed.end() && at->first.starts_with(prefix) &&
                               (is_last || at->first <= stored.back().first);
      if (row == stored.end() && !has_changed) break;
      if (has_changed && (row == stored.end() || at->first <= row->first)) {
        if (row != stored.end() && at->first == row->first) ++row;
        if (*at->second) found.emplace_back(at->first, **at->second);
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
