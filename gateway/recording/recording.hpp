// A terminal's recording: output from the bulk log, its times from the log's marks, resizes and the
// end from the terminal's stream; written piece by piece, so that any length costs one window of
// memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/ports/bulk_log.hpp"
#include "events/core/journal.hpp"
#include "events/terminal/events.hpp"
#include "gateway/http_message.hpp"
#include "gateway/recording/asciicast.hpp"

namespace berth::gateway {

inline constexpr std::size_t recording_window_bytes = 256 * 1024;

// What of a terminal's stream a recording needs.
struct terminal_story {
  terminal_id terminal;
  std::uint16_t cols{80};
  std::uint16_t rows{24};
  timestamp began;
  std::vector<terminal::resized> resizes;  // in order of time
  std::optional<terminal::ended> end;
};
journal_result<terminal_story> read_story(const journal& from, const terminal_id& terminal);

// The bytes [extent.first, extent.next) as they are now. Lines end at the first read error, which
// is logged: half a recording still plays.
journal_result<body_stream> record(terminal_story story, output_reader& bulk,
                                   asciicast_format format);

}  // namespace berth::gateway
