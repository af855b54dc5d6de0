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

#include "events/core/invariant.hpp"
#include "projections/view_store.hpp"

namespace berth {

class row_overlay {
 public:
  // Beyond `known_rows_max` all that was read is forgotten at written().
  explicit row_overlay(std::unique_ptr<const view> stored, std::size_t known_rows_max = 8'192)
      : stored_{std::move(stored)}, known_rows_max_{known_rows_max} {}

  std::optional<std::string> get(std::string_view key) const;
  void put(std::string_view key, std::string_view row);
  void erase(std::string_view key);
  void append(std::string_view key, std::string_view row);
  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const;
  // Every row changed since written(), in order of key: each(key, row), nothing = erased.
  template <class Each>
  void each_changed(Each each) {
    sort_changed();
    auto added = appended_.begin();
    const auto add_below = [&](const std::string* key) {
      for (; added != appended_.end() && (!key || added->first < *key); ++added)
        each(added->first, added->second);
    };
    for (const auto* changed : changed_) {
      add_below(&changed->first);
      BERTH_ASSERT(added == appended_.end() || added->first != changed->first);
      each(changed->first, changed->second.value);
    }
    add_below(nullptr);
  }
  std::size_t changed_rows() const { return changed_.size() + appended_.size(); }
  std::size_t changed_bytes() const { return changed_bytes_; }  // about what they take in memory
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
  void sort_changed();

  std::unique_ptr<const view> stored_;
  mutable rows known_;
  const std::size_t known_rows_max_;
  std::vector<rows::value_type*> changed_;  // of known_
  std::vector<std::pair<std::string, std::optional<std::string>>> appended_;
  std::size_t changed_bytes_{};
};

// A batch whose rows are an overlay's until it writes them.
class overlay_batch : public view_store::batch {
 public:
  explicit overlay_batch(row_overlay rows) : rows_{std::move(rows)} {}
  std::optional<std::string> get(std::string_view key) const override { return rows_.get(key); }
  void put(std::string_view key, std::string_view row) override { rows_.put(key, row); }
  void erase(std::string_view key) override { rows_.erase(key); }
  void append(std::string_view key, std::string_view row) override { rows_.append(key, row); }
  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const override {
    return rows_.scan(prefix, after, limit);
  }

 protected:
  row_overlay rows_;
};

}  // namespace berth
