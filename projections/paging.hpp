// Pages over index rows: shared by the queries.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "projections/queries.hpp"
#include "projections/view_store.hpp"

namespace berth::queries {

inline std::unique_ptr<view> live(const view_store& views, std::string_view name) {
  const std::string text{name};
  return views.read({text, views.live_generation(text)});
}

// Scans the rows below `prefix` from the cursor on; `take(suffix, row)` answers an item or nothing
// (filtered out). The cursor is the suffix of the last row looked at.
template <class Item, class Take>
page<Item> page_of(const view& rows, const std::string& prefix, const std::string& after,
                   std::size_t limit, Take take) {
  constexpr std::size_t scan_rows = 256;
  limit = std::clamp<std::size_t>(limit, 1, page_items_max);
  page<Item> out;
  std::string last = after;
  for (;;) {
    const auto found = rows.scan(prefix, last.empty() ? std::string{} : prefix + last, scan_rows);
    for (const auto& [key, row] : found) {
      if (out.items.size() == limit) {
        out.next = last;
        return out;
      }
      last = key.substr(prefix.size());
      if (auto item = take(last, row)) out.items.push_back(std::move(*item));
    }
    if (found.size() < scan_rows) return out;
  }
}

}  // namespace berth::queries
