// berth-replay --verify-fold and --state-hashes: every stream folded from its first event.
#pragma once

#include <string>

#include "infra/rocksdb/embedded_options.hpp"

namespace berth::replay {

// Compares each stream's newest snapshot with the fold up to its version. Reads only; works beside
// a server.
int verify_fold(const embedded_options& engine, bool json);

// Prints stream, version and state hash of every stream; with `against` (such a list, made by
// another build) compares every stream at the version the list has.
int state_hashes(const embedded_options& engine, const std::string& against);

}  // namespace berth::replay
