// Rows of a view over its stored ones: a fold sees its own writes, the store gets them in one
// batch, and what was read before is not asked of the store again. Nothing else may write the
// stored ones. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "projections/view_store.hpp"

namespace berth {

class row_overlay {
 public:
  static constexpr std::size_t known_rows_max = 8'192;  // beyond it all are forgotten at written()

  explicit row_overlay(std::unique_ptr<const view> stored) : stored_{std::move(stored)} {}

  std::optional<std::string> get(std::string_view key) const;
  void put(std::string_view key, std::string_view row);
  void erase(std::string_view key);
  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const;
  // Every row put or erased since written(), in no order: each(key, row), nothing = erased.
  template <class Each>
  void each_changed(Each each) const {
    for (const auto* changed : changed_) each(changed->first, changed->second.value);
  }
  // What was changed is stored now.
  void written();

 private:
  struct row {
    std::optional<std::string> value;  // nothing = there is none
    bool is_changed{};
    bool was_read{};
  };
  struct hash_of_key {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>{}(key);
    }
  };
  using rows = std::unordered_map<std::string, row, hash_of_key, std::equal_to<>>;

  void change(std::string_view key, std::optional<std::string_view> to);

  std::unique_ptr<const view> stored_;
  mutable rows known_;
  std::vector<rows::value_type*> changed_;  // of known_
};

}  // namespace berth
