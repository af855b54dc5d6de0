// Small values by name for who follows the journal and must know how far it was: kept beside the
// views, rebuildable, not synced. Any thread. No RocksDB types.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "events/core/journal_error.hpp"

namespace berth {

class note_store {
 public:
  virtual ~note_store() = default;
  virtual std::optional<std::string> note(const std::string& name) const = 0;
  using named_note = std::pair<std::string, std::string>;
  // All or none.
  virtual std::optional<journal_error> set_notes(std::span<const named_note> all) = 0;
  std::optional<journal_error> set_note(const std::string& name, const std::string& value) {
    const named_note one{name, value};
    return set_notes({&one, 1});
  }
};

}  // namespace berth
