// What a start does with what it finds: proves that the log reaches as far as anything says it had,
// checks every record that was not checked before, and brings the index in state/ up to its end.
#pragma once

#include <memory>
#include <optional>

#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/head_file.hpp"
#include "infra/rocksdb/log_store.hpp"
#include "infra/rocksdb/state_store.hpp"

namespace berth {

struct recovered_log {
  durable_mark end;
  timestamp last_time{};
  std::vector<indexed_commit>
      unindexed;  // the last commits, checked, for the index writer to add while serving
};

// state/ is removed and rebuilt if it is damaged or of another log; damage of the log is an error:
// data_loss (both positions named) or corrupt (position named).
journal_result<recovered_log> recover(const embedded_options& options, const log_store& log,
                                      std::unique_ptr<state_store>& state,
                                      const std::optional<durable_mark>& head);

// Opens state/; removes it first if it is marked damaged, and again if it cannot be read. The first
// start since the machine's takes it back to what was synced.
journal_result<std::unique_ptr<state_store>> open_state(const embedded_options& options);

// The longest prefix of the log whose records are intact and linked.
recovered_log intact_prefix(const embedded_options& options, const log_store& log);

}  // namespace berth
