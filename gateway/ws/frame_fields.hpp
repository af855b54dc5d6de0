// The fields of every control message, once, for both codecs: a visitor is called with each field's
// name and value in the order of the ids in schemas/wire.fbs (the binary codec derives the ids from
// this order; its test compares with the generated code).
#pragma once

#include <array>
#include <concepts>
#include <string_view>

#include "gateway/ws/frame.hpp"

namespace berth::wire {

inline constexpr std::array<std::string_view, std::variant_size_v<payload>> frame_names{
    "output",     "input", "snapshot_data", "credit",   "durable",    "input_applied",
    "ping",       "pong",  "body",          "hello",    "welcome",    "open",
    "opened",     "close", "closed",        "gap",      "snapshot",   "resized",
    "driver",     "ended", "input_refused", "resize",   "take_drive", "environment_state",
    "feed_event", "error", "request",       "response", "goaway"};

constexpr std::array<std::string_view, 6> names_of(target) {
  return {"terminal", "environment", "feed", "files", "room", "conversation"};
}
constexpr std::array<std::string_view, 2> names_of(mode) {
  return {"exact", "screen"};
}
constexpr std::array<std::string_view, 2> names_of(right) {
  return {"view", "drive"};
}

// `M` is the message, const when encoding.
template <class M, class T>
concept is = std::same_as<std::remove_const_t<M>, T>;

template <is<hello> M>
void each_field(M& m, auto&& v) {
  v("token", m.token), v("session", m.session), v("client", m.client), v("zstd", m.zstd);
  v("input_stream", m.input_stream);
}
template <is<welcome> M>
void each_field(M& m, auto&& v) {
  v("session", m.session), v("input_stream", m.input_stream), v("server", m.server),
      v("resumed", m.resumed);
  v("zstd", m.zstd), v("heartbeat_ms", m.heartbeat_ms), v("frame_payload_max", m.frame_payload_max);
  v("message_bytes_max", m.message_bytes_max), v("channels_max", m.channels_max);
  v("channel_window_bytes_max", m.channel_window_bytes_max);
  v("input_unacknowledged_bytes_max", m.input_unacknowledged_bytes_max);
  v("requests_in_flight_max", m.requests_in_flight_max),
      v("request_body_bytes_max", m.request_body_bytes_max);
}
template <is<open> M>
void each_field(M& m, auto&& v) {
  v("target", m.target), v("id", m.id), v("mode", m.mode), v("right", m.right), v("from", m.from);
  v("credit_until", m.credit_until), v("after", m.after);
}
template <is<opened> M>
void each_field(M& m, auto&& v) {
  v("from", m.from), v("end", m.end), v("cols", m.cols), v("rows", m.rows), v("driver", m.driver);
  v("status", m.status), v("after", m.after);
}
template <class M>
requires is<M, close> || is<M, take_drive>
void each_field(M&, auto&&) {}
template <is<closed> M>
void each_field(M& m, auto&& v) {
  v("code", m.code), v("message", m.message), v("details", m.details);
}
template <is<gap> M>
void each_field(M& m, auto&& v) {
  v("from", m.from), v("to", m.to);
}
template <is<snapshot> M>
void each_field(M& m, auto&& v) {
  v("offset", m.offset), v("cols", m.cols), v("rows", m.rows), v("size", m.size);
}
template <is<resized> M>
void each_field(M& m, auto&& v) {
  v("offset", m.offset), v("cols", m.cols), v("rows", m.rows);
}
template <is<driver> M>
void each_field(M& m, auto&& v) {
  v("session", m.session);
}
template <is<ended> M>
void each_field(M& m, auto&& v) {
  v("final_offset", m.final_offset), v("has_exit_code", m.has_exit_code),
      v("exit_code", m.exit_code);
  v("signal", m.signal), v("reason", m.reason), v("detail", m.detail);
}
template <is<input_refused> M>
void each_field(M& m, auto&& v) {
  v("sequence", m.sequence), v("code", m.code), v("message", m.message);
}
template <is<resize> M>
void each_field(M& m, auto&& v) {
  v("cols", m.cols), v("rows", m.rows);
}
template <is<environment_state> M>
void each_field(M& m, auto&& v) {
  v("version", m.version), v("body", m.body);
}
template <is<feed_event> M>
void each_field(M& m, auto&& v) {
  v("after", m.after), v("body", m.body);
}
template <is<error> M>
void each_field(M& m, auto&& v) {
  v("code", m.code), v("message", m.message), v("details", m.details),
      v("request_id", m.request_id);
}
template <is<request> M>
void each_field(M& m, auto&& v) {
  v("id", m.id), v("method", m.method), v("path", m.path), v("headers", m.headers),
      v("body", m.body);
  v("body_size", m.body_size);
}
template <is<response> M>
void each_field(M& m, auto&& v) {
  v("id", m.id), v("status", m.status), v("headers", m.headers), v("body", m.body),
      v("body_size", m.body_size);
}
template <is<goaway> M>
void each_field(M& m, auto&& v) {
  v("code", m.code), v("message", m.message), v("reconnect", m.reconnect),
      v("after_ms", m.after_ms);
}

// Calls `f` with a default-constructed payload alternative number `index`, for decoding.
template <class F, std::size_t I = 0>
bool with_alternative(std::size_t index, F&& f) {
  if constexpr (I < std::variant_size_v<payload>) {
    if (index == I) return f(std::variant_alternative_t<I, payload>{});
    return with_alternative<F, I + 1>(index, std::forward<F>(f));
  }
  return false;
}

}  // namespace berth::wire
