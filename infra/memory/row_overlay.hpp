// Uncommitted rows of a view over its stored ones: a fold sees its own writes, the store gets them
// in one batch. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "projections/view_store.hpp"

namespace berth {

class row_overlay {
 public:
  using rows = std::map<std::string, std::optional<std::string>, std::less<>>;  // nothing = erased

  explicit row_overlay(std::unique_ptr<const view> stored) : stored_{std::move(stored)} {}

  std::optional<std::string> get(std::string_view key) const;
  void put(std::string_view key, std::string_view row);
  void erase(std::string_view key);
  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const;
  const rows& changed() const { return changed_; }
  void clear() { changed_.clear(); }

 private:
  std::unique_ptr<const view> stored_;
  rows changed_;
};

}  // namespace berth
