// Recordings in asciinema's formats: asciicast v2 (absolute times) and v3 (intervals, exit status),
// newline-delimited JSON. https://docs.asciinema.org/manual/asciicast/v2/ and /v3/. Pure; one
// recording, one thread.
//
// Events hold UTF-8: a character cut by a chunk's border is written whole with the chunk that
// completes it, and ill-formed bytes become U+FFFD (the exact bytes are at GET
// /terminals/{id}/output).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/time.hpp"

namespace berth::gateway {

enum class asciicast_format : std::uint8_t { v2 = 2, v3 = 3 };

class asciicast_writer {
 public:
  // Appends the header line to `out`. Events before `began` are written as at `began`; time never
  // goes back.
  asciicast_writer(asciicast_format format, std::uint16_t cols, std::uint16_t rows, timestamp began,
                   std::string& out);

  void output(timestamp at, std::string_view bytes, std::string& out);
  void resize(timestamp at, std::uint16_t cols, std::uint16_t rows, std::string& out);
  // Flushes a cut character; v3 writes the exit status.
  void end(timestamp at, std::optional<std::int32_t> exit_code, std::string& out);

 private:
  void event(timestamp at, char code, std::string_view text, std::string& out);
  asciicast_format format_;
  timestamp began_;
  timestamp last_;
  std::string cut_;  // the first bytes of a character
};

}  // namespace berth::gateway
