// berth-replay --rebuild: every view (or one) filled anew from the journal and swapped in, by the
// running server or, if none runs, here. Same command, same output.
#pragma once

#include <string>

#include "infra/rocksdb/embedded_options.hpp"

namespace berth::replay {

// Prints progress to stderr and the outcome to stdout; returns an exit code.
int rebuild(const embedded_options& engine, const std::string& view, bool json);

}  // namespace berth::replay
