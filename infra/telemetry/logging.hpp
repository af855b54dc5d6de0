// Sets up spdlog's default logger: for people on a terminal, one JSON object a line otherwise. To
// stderr. Fields: time (RFC 3339, microseconds), level, message, thread. Secrets are never passed
// to a logger.
#pragma once

#include <optional>
#include <string>

namespace berth {

enum class log_format { automatic, human, json };
// Nothing if the level's name is unknown: trace, debug, info, warn, error, off.
bool set_up_logging(const std::string& level, log_format format);

}  // namespace berth
