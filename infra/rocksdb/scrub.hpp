// The storage engine's part of a scrub: log/ and state/, all of it.
#pragma once

#include <filesystem>
#include <functional>

#include "infra/files/read_pace.hpp"
#include "infra/rocksdb/log_store.hpp"
#include "infra/rocksdb/state_store.hpp"

namespace berth {

using told_problem = std::function<void(const journal_error&)>;

// Records 1 … durable, then the write-ahead logs and the table files.
void scrub_log(const log_store& log, const std::filesystem::path& folder, std::uint64_t durable,
               const read_pace& pace, const told_problem& found);
void scrub_state(const state_store& state, const std::filesystem::path& folder,
                 const read_pace& pace, const told_problem& found);

}  // namespace berth
