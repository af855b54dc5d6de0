// Frames between the server and berth-agent, over any ordered byte stream. Pure: bytes in, frames
// or an error out.
//
//    0      1       2         4          8            16
//   +------+-------+---------+----------+------------+---------------------
//   | kind | flags | channel |  length  |   offset   | payload, `length` bytes
//   | u8   | u8    | u16     |  u32     |   u64      |           little endian
//   +------+-------+---------+----------+------------+---------------------
//
// `channel` names a terminal on this connection (1..65535, chosen by the server); 0 is the
// connection itself. `length` is at most data_bytes_max for output and input, control_bytes_max for
// control, 24 for input_ack and 0 for every other kind. A kind, flag, channel or length outside
// these rules is an error, after which a decoder stays failed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::agent {

inline constexpr std::uint16_t protocol_version_min = 1;
inline constexpr std::uint16_t protocol_version_max = 1;
inline constexpr std::size_t frame_header_bytes = 16;
inline constexpr std::size_t data_bytes_max = 64 * 1024;
inline constexpr std::size_t control_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t stream_name_bytes = 16;
inline constexpr std::size_t input_bytes_max = data_bytes_max - stream_name_bytes;
inline constexpr std::size_t input_ack_bytes = stream_name_bytes + 8;
inline constexpr std::uint64_t pace_free = ~std::uint64_t{0};

enum class frame_kind : std::uint8_t {
  control = 1,    // payload: a verified fb::agent::Packet
  output = 2,     // agent: offset = number of the payload's first byte
  input = 3,      // server: offset = sequence; payload = stream name, bytes
  input_ack = 4,  // agent: offset = last applied; payload = stream name, sequence asked (u64);
                  // flags say why refused
  follow = 5,     // server: send output from `offset` on
  pace = 6,       // server: read the PTY only up to `offset`; pace_free = no limit
  durable = 7,    // server: output below `offset` is stored, drop it
  resize = 8,     // server: offset = cols | rows << 16
  close =
      9,  // server: offset 0 = hang up; 1 = its end is recorded and its output stored, forget it
  ping = 10,  // either side; answered by pong with the same offset
  pong = 11,
};

// Flags. Each is legal for one kind only.
inline constexpr std::uint8_t flag_descriptor =
    1;  // control: one file descriptor travels with this frame
inline constexpr std::uint8_t flag_unknown_stream = 1;  // input_ack
inline constexpr std::uint8_t flag_gap = 2;             // input_ack
inline constexpr std::uint8_t flag_ended =
    4;  // input_ack: the terminal has ended, nothing was applied
inline constexpr std::uint8_t flag_full =
    8;  // input_ack: more unacknowledged input than the window allows

struct frame_header {
  frame_kind kind{};
  std::uint8_t flags{};
  std::uint16_t channel{};
  std::uint32_t length{};
  std::uint64_t offset{};
  bool operator==(const frame_header&) const = default;
};

struct frame {
  frame_header header;
  std::string payload;
};

std::array<char, frame_header_bytes> encode(const frame_header& header);
void store_u64(char* at, std::uint64_t value);
std::uint64_t load_u64(const char* at);

enum class frame_errc : std::uint8_t { unknown_kind, bad_flags, bad_channel, too_long, too_short };
const char* name_of(frame_errc code);

struct frame_error {
  frame_errc code{};
  std::uint64_t at{};  // offset of the bad frame's header in the stream
  std::string text() const;
};

// Feeds on any split of the stream and gives the same frames. Holds at most one frame.
class frame_decoder {
 public:
  // Takes bytes from the front of `bytes` until a frame is complete, an error is met or nothing is
  // left.
  std::optional<frame> next(std::string_view& bytes);
  const std::optional<frame_error>& error() const { return error_; }
  bool between_frames() const { return header_have_ == 0; }

 private:
  void check(const frame_header& header);

  std::array<char, frame_header_bytes> raw_{};
  std::size_t header_have_ = 0;
  frame current_;
  std::uint64_t consumed_ = 0;
  std::optional<frame_error> error_;
};

}  // namespace berth::agent
