// berth-replay --export: a terminal's recording from the bulk log, beside a running server or
// alone.
#pragma once

#include <string>

#include "infra/rocksdb/embedded_options.hpp"

namespace berth::replay {

// `format`: asciicast-v2, asciicast-v3 or raw (the exact bytes). `file` empty: standard output.
// Returns an exit code.
int export_recording(const embedded_options& engine, const std::string& terminal,
                     const std::string& format, const std::string& file);

}  // namespace berth::replay
