// The notes in state/ (keys.hpp, n).
#pragma once

#include "infra/rocksdb/note_store.hpp"
#include "infra/rocksdb/state_store.hpp"

namespace berth {

class state_notes : public note_store {
 public:
  explicit state_notes(const state_store& state) : db_{state.db()} {}
  std::optional<std::string> note(const std::string& name) const override;
  std::optional<journal_error> set_notes(std::span<const named_note> all) override;

 private:
  rocksdb::DB& db_;
};

}  // namespace berth
