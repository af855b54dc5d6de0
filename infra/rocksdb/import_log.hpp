// A new embedded log made of another journal's commits: the same bodies and commit times in new
// envelopes. What berth-replay --from-kafka uses; nobody serves the directory meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "events/core/journal.hpp"
#include "infra/rocksdb/embedded_options.hpp"

namespace berth {

// The next commit, in the order to be; nothing: that was all. The commits of one stream come in
// order of version, commit times never decrease.
using commit_source = std::function<journal_result<std::optional<commit>>()>;

// Answers how many commits it wrote, all synced. `conflict` if the directory has a log already;
// `io`, `corrupt` as open_embedded and as the source says. state/ is made by the next
// open_embedded.
journal_result<std::uint64_t> import_log(const embedded_options& options,
                                         const commit_source& next);

}  // namespace berth
