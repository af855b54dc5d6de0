#include "infra/rocksdb/state_notes.hpp"

#include <rocksdb/write_batch.h>

#include "infra/rocksdb/keys.hpp"

namespace berth {

std::optional<std::string> state_notes::note(const std::string& name) const {
  std::string value;
  const auto status = db_.Get({}, keys::note_key(name), &value);
  return status.ok() ? std::optional{value} : std::nullopt;
}

std::optional<journal_error> state_notes::set_notes(std::span<const named_note> all) {
  rocksdb::WriteBatch batch;
  for (const auto& [name, value] : all) batch.Put(keys::note_key(name), value);
  const auto status = db_.Write({}, &batch);
  if (status.ok()) return std::nullopt;
  return error_of(status, db_.GetName() + " notes");
}

}  // namespace berth
