// berth.v1: frames as bytes. Two steps each way, because compression sits between header and
// meaning:
//
//   message -> split -> raw frames -> (decompress) -> parse -> frame
//   frame -> encode -> header + payload -> (compress) -> header bytes
//
// Pure; any thread. Nothing here trusts its input: sizes are checked, tables are verified
// (FlatBuffers verifier).
#pragma once

#include <array>
#include <vector>

#include <boost/system/result.hpp>

#include "gateway/ws/frame.hpp"

namespace berth::wire {

struct frame_header {
  std::uint32_t channel{};
  std::uint8_t kind{};
  std::uint8_t flags{};
  std::uint16_t length{};
  std::uint64_t offset{};
  bool operator==(const frame_header&) const = default;
};
using header_buffer = std::array<char, header_bytes>;
header_buffer bytes_of(const frame_header& header);

// One frame, its meaning not looked at. `payload` points into the message.
struct raw_frame {
  frame_header header;
  std::string_view payload;
};
boost::system::result<std::vector<raw_frame>, framing_error> split_message(
    std::string_view message);

// `payload` is plain (decompressed); flags are not looked at.
boost::system::result<frame, frame_problem> parse_frame(const frame_header& header,
                                                        std::string_view payload);

// Payloads above payload_bytes_max are our bug (BERTH_ASSERT): split before.
struct encoded_frame {
  frame_header header;
  slice payload;
};
encoded_frame encode_frame(const frame& what);
// Header and payload in one string; for tests and small clients.
std::string encode_message(const frame& what);

[[noreturn]] void throw_exception_from_error(const framing_error& error,
                                             const boost::source_location& where);
[[noreturn]] void throw_exception_from_error(const frame_problem& error,
                                             const boost::source_location& where);

}  // namespace berth::wire
