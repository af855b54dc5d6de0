// Everything that can be set about bulk logs, every bound named.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "events/core/journal_error.hpp"

namespace berth {

struct bulk_options {
  std::filesystem::path dir;  // DIR/bulk; one folder a terminal

  // Called once, on the log's thread, when a write or sync failed: nothing is written or told after
  // it, and the process must end. Nothing = abort.
  std::function<void(const journal_error&)> on_fatal;

  std::chrono::milliseconds sync_interval_ms{50};  // B2
  std::size_t sync_bytes = 4 << 20;                // of all terminals together
  std::size_t unwritten_bytes_max = 8
                                    << 20;  // a terminal: appended and not durable; beyond: refused
  std::size_t segment_bytes_max = 4 << 20;  // before compression
  std::size_t segment_bytes_min = 16 << 10;  // of terminals that keep little
  std::size_t open_files_max = 128;          // segments and marks kept open for the next write
  bool compress = true;
};

}  // namespace berth
