// The bounds of a WebSocket connection (docs/protocol.md §13). Sizes in bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace berth::gateway {

inline constexpr std::size_t ws_channels_max = 1024;
inline constexpr std::uint64_t ws_channel_window_bytes_max = 1024 * 1024;    // until above consumed
inline constexpr std::size_t ws_input_unacknowledged_bytes_max = 64 * 1024;  // of one channel
inline constexpr std::size_t ws_input_unacknowledged_frames_max = 4'096;     // of one channel
inline constexpr std::size_t ws_requests_in_flight_max = 64;
inline constexpr std::size_t ws_request_body_bytes_max = 2 * 1024 * 1024;
inline constexpr std::size_t ws_request_bodies_bytes_max =
    4 * 1024 * 1024;  // unfinished ones, together
inline constexpr std::size_t ws_response_body_bytes_max =
    8 * 1024 * 1024;  // larger ones by HTTP only
inline constexpr std::size_t ws_large_answers_bytes_max =
    16 * 1024 * 1024;  // queued at once; beyond it overloaded
inline constexpr std::size_t ws_output_frame_bytes =
    32 * 1024;  // output is cut into frames of this size
inline constexpr std::size_t ws_table_text_bytes_max = 60'000;  // of one text in a control frame

// Output queued for a socket: above this no terminal gets new credit, until it drains.
inline constexpr std::size_t ws_queued_bytes_soft_max = 4 * 1024 * 1024;
// What one terminal may have on its way from the kernel: the soft bound shared out, within these.
inline constexpr std::uint64_t ws_grant_bytes_max = 256 * 1024;
inline constexpr std::uint64_t ws_grant_bytes_min = 16 * 1024;
inline constexpr std::size_t ws_channel_frames_max = 4096;  // queued frames of one channel

// Answers queued: above the first nothing more is read from the client, above the second it is
// closed.
inline constexpr std::size_t ws_answers_bytes_pause = 256 * 1024;
inline constexpr std::size_t ws_answers_bytes_max = 4 * 1024 * 1024;

inline constexpr std::chrono::seconds ws_hello_max{10};
inline constexpr std::chrono::seconds ws_handshake_max{10};  // of the upgrade and of closing
inline constexpr std::chrono::seconds ws_silence_max{60};    // a ping goes out after half of it
inline constexpr std::chrono::milliseconds ws_goaway_after{500};
inline constexpr std::chrono::seconds ws_compressor_kept{30};  // without output; it weighs 300 KiB

enum class ws_close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  wrong_type = 1003,
  too_big = 1009,
  framing = 4400,
  unauthenticated = 4401,
  session_over = 4403,
  hello_late = 4408,
  not_reading = 4413,
  try_later = 4429
};

}  // namespace berth::gateway
