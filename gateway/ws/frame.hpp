// Frames of the WebSocket protocol in memory (docs/protocol.md §2). Server and client, binary and
// JSON share them; binary_codec.hpp and json_codec.hpp turn them into bytes and back. Values; any
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "actors/ports/bytes.hpp"

namespace berth::wire {

inline constexpr std::size_t header_bytes = 16;
inline constexpr std::size_t payload_bytes_max = 65'535;
inline constexpr std::size_t message_bytes_max = 262'144;  // client to server
inline constexpr std::size_t input_bytes_max = 16'384;     // one input frame
inline constexpr std::size_t ping_bytes_max = 125;
inline constexpr std::size_t inline_body_bytes_max =
    32 * 1024;  // of a request or response; more goes in body frames
inline constexpr std::uint64_t from_end = ~std::uint64_t{0};

enum frame_flag : std::uint8_t { flag_zstd = 1, flag_fresh = 2 };

// A view of counted bytes: output is encoded from where the kernel put it.
struct slice {
  shared_bytes data;
  std::size_t skip{};
  std::size_t size{};
  std::string_view view() const {
    return data ? std::string_view(*data).substr(skip, size) : std::string_view{};
  }
  bool operator==(const slice& other) const { return view() == other.view(); }
};
inline slice whole(std::string bytes) {
  const auto size = bytes.size();
  return {share(std::move(bytes)), 0, size};
}

using pairs = std::map<std::string, std::string>;
// Bytes in a table: base64 in JSON unless they are text.
struct blob {
  std::string bytes;
  bool operator==(const blob&) const = default;
};

enum class target : std::uint8_t {
  terminal = 0,
  environment = 1,
  feed = 2,
  files = 3,
  room = 4,
  conversation = 5
};
enum class mode : std::uint8_t { exact = 0, screen = 1 };
enum class right : std::uint8_t { view = 0, drive = 1 };

// Data frames, in the order of their kinds 1 … 9.
struct output {
  std::uint64_t offset{};
  slice bytes;
  bool operator==(const output&) const = default;
};
struct input {
  std::uint64_t sequence{};
  std::string bytes;
  bool operator==(const input&) const = default;
};
struct snapshot_data {
  std::uint64_t offset{};
  slice bytes;
  bool operator==(const snapshot_data&) const = default;
};
struct credit {
  std::uint64_t consumed{}, until{};
  bool operator==(const credit&) const = default;
};
struct durable {
  std::uint64_t offset{};
  bool operator==(const durable&) const = default;
};
struct input_applied {
  std::uint64_t sequence{};
  bool operator==(const input_applied&) const = default;
};
struct ping {
  std::uint64_t offset{};
  std::string bytes;
  bool operator==(const ping&) const = default;
};
struct pong {
  std::uint64_t offset{};
  std::string bytes;
  bool operator==(const pong&) const = default;
};
struct body {
  std::uint64_t offset{};
  slice bytes;
  bool operator==(const body&) const = default;
};

// Control messages, in the order of the union's tags 1 … 20 (schemas/wire.fbs has the meaning of
// each field).
struct hello {
  std::string token, session, client;
  bool zstd{};
  std::string input_stream{};  // resume only if the session still has this one; empty: any
  bool operator==(const hello&) const = default;
};
struct welcome {
  std::string session, input_stream, server;
  bool resumed{}, zstd{};
  std::uint32_t heartbeat_ms{}, frame_payload_max{}, message_bytes_max{}, channels_max{},
      channel_window_bytes_max{}, input_unacknowledged_bytes_max{}, requests_in_flight_max{},
      request_body_bytes_max{};
  bool operator==(const welcome&) const = default;
};
struct open {
  wire::target target{};
  std::string id;
  wire::mode mode{};
  wire::right right{};
  std::uint64_t from{}, credit_until{};
  std::string after;
  bool operator==(const open&) const = default;
};
struct opened {
  std::uint64_t from{}, end{};
  std::uint16_t cols{}, rows{};
  std::string driver, status, after;
  bool operator==(const opened&) const = default;
};
struct close {
  bool operator==(const close&) const = default;
};
struct closed {
  std::string code, message;
  pairs details;
  bool operator==(const closed&) const = default;
};
struct gap {
  std::uint64_t from{}, to{};
  bool operator==(const gap&) const = default;
};
struct snapshot {
  std::uint64_t offset{};
  std::uint16_t cols{}, rows{};
  std::uint32_t size{};
  bool operator==(const snapshot&) const = default;
};
struct resized {
  std::uint64_t offset{};
  std::uint16_t cols{}, rows{};
  bool operator==(const resized&) const = default;
};
struct driver {
  std::string session;
  bool operator==(const driver&) const = default;
};
struct ended {
  std::uint64_t final_offset{};
  bool has_exit_code{};
  std::int32_t exit_code{}, signal{};
  std::string reason, detail;
  bool operator==(const ended&) const = default;
};
struct input_refused {
  std::uint64_t sequence{};
  std::string code, message;
  bool operator==(const input_refused&) const = default;
};
struct resize {
  std::uint16_t cols{}, rows{};
  bool operator==(const resize&) const = default;
};
struct take_drive {
  bool operator==(const take_drive&) const = default;
};
struct environment_state {
  std::uint64_t version{};
  std::string body;
  bool operator==(const environment_state&) const = default;
};
struct feed_event {
  std::string after, body;
  bool operator==(const feed_event&) const = default;
};
struct error {
  std::string code, message;
  pairs details;
  std::string request_id;
  bool operator==(const error&) const = default;
};
struct request {
  std::uint32_t id{};
  std::string method, path;
  pairs headers;
  blob body;
  std::uint32_t body_size{};
  bool operator==(const request&) const = default;
};
struct response {
  std::uint32_t id{};
  std::uint16_t status{};
  pairs headers;
  blob body;
  std::uint32_t body_size{};
  bool operator==(const response&) const = default;
};
struct goaway {
  std::string code, message;
  bool reconnect{};
  std::uint32_t after_ms{};
  bool operator==(const goaway&) const = default;
};

using payload =
    std::variant<output, input, snapshot_data, credit, durable, input_applied, ping, pong, body,  //
                 hello, welcome, open, opened, close, closed, gap, snapshot, resized, driver, ended,
                 input_refused, resize, take_drive, environment_state, feed_event, error, request,
                 response, goaway>;
inline constexpr std::size_t data_kinds = 9;

struct frame {
  std::uint32_t channel{};  // of `body` frames: the request's id
  wire::payload what;
  bool operator==(const frame&) const = default;
};

// A payload that is not what its kind needs, or a kind nobody knows: an `error` frame on that
// channel, no more.
struct frame_problem {
  std::string_view code;  // "malformed" or "unsupported"
  std::string message;
  std::uint32_t channel{};
};
// The next frame cannot be found: the connection ends with close code 4400.
struct framing_error {
  std::string message;
};

}  // namespace berth::wire
