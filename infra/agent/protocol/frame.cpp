#include "infra/agent/protocol/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace berth::agent {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the header is stored as it stands in memory");

struct rule {
  std::uint8_t flags_allowed;
  bool has_channel;
  std::size_t length_min;
  std::size_t length_max;
};

std::optional<rule> rule_of(frame_kind kind) {
  constexpr std::uint8_t ack_flags = flag_unknown_stream | flag_gap | flag_ended | flag_full;
  switch (kind) {
    case frame_kind::control:
      return rule{flag_descriptor, false, 1, control_bytes_max};
    case frame_kind::output:
      return rule{0, true, 1, data_bytes_max};
    case frame_kind::input:
      return rule{0, true, stream_name_bytes, data_bytes_max};
    case frame_kind::input_ack:
      return rule{ack_flags, true, input_ack_bytes, input_ack_bytes};
    case frame_kind::follow:
    case frame_kind::pace:
    case frame_kind::durable:
    case frame_kind::resize:
    case frame_kind::close:
      return rule{0, true, 0, 0};
    case frame_kind::ping:
    case frame_kind::pong:
      return rule{0, false, 0, 0};
  }
  return std::nullopt;
}

}  // namespace

void store_u64(char* at, std::uint64_t value) {
  std::memcpy(at, &value, sizeof value);
}

std::uint64_t load_u64(const char* at) {
  std::uint64_t value{};
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::array<char, frame_header_bytes> encode(const frame_header& header) {
  std::array<char, frame_header_bytes> raw{};
  raw[0] = static_cast<char>(header.kind);
  raw[1] = static_cast<char>(header.flags);
  std::memcpy(&raw[2], &header.channel, 2);
  std::memcpy(&raw[4], &header.length, 4);
  store_u64(&raw[8], header.offset);
  return raw;
}

const char* name_of(frame_errc code) {
  switch (code) {
    case frame_errc::unknown_kind:
      return "unknown_kind";
    case frame_errc::bad_flags:
      return "bad_flags";
    case frame_errc::bad_channel:
      return "bad_channel";
    case frame_errc::too_long:
      return "too_long";
    case frame_errc::too_short:
      return "too_short";
  }
  return "unknown";
}

std::string frame_error::text() const {
  return std::string{"frame at byte "} + std::to_string(at) + ": " + name_of(code);
}

void frame_decoder::check(const frame_header& header) {
  const auto fail = [&](frame_errc code) {
    error_ = frame_error{code, consumed_ - frame_header_bytes};
  };
  const auto rule = rule_of(header.kind);
  if (!rule) return fail(frame_errc::unknown_kind);
  if (header.flags & ~rule->flags_allowed) return fail(frame_errc::bad_flags);
  if ((header.channel != 0) != rule->has_channel) return fail(frame_errc::bad_channel);
  if (header.length > rule->length_max) return fail(frame_errc::too_long);
  if (header.length < rule->length_min) return fail(frame_errc::too_short);
}

std::optional<frame> frame_decoder::next(std::string_view& bytes) {
  if (error_) return std::nullopt;
  if (header_have_ < frame_header_bytes) {
    const auto take = std::min(bytes.size(), frame_header_bytes - header_have_);
    std::memcpy(raw_.data() + header_have_, bytes.data(), take);
    bytes.remove_prefix(take);
    header_have_ += take;
    consumed_ += take;
    if (header_have_ < frame_header_bytes) return std::nullopt;
    auto& header = current_.header;
    header.kind = static_cast<frame_kind>(raw_[0]);
    header.flags = static_cast<std::uint8_t>(raw_[1]);
    std::memcpy(&header.channel, &raw_[2], 2);
    std::memcpy(&header.length, &raw_[4], 4);
    header.offset = load_u64(&raw_[8]);
    check(header);
    if (error_) return std::nullopt;
    // What a header only claims is not reserved: a large control frame grows as its bytes arrive.
    current_.payload.reserve(std::min<std::size_t>(header.length, data_bytes_max));
  }
  const auto take = std::min(bytes.size(), current_.header.length - current_.payload.size());
  current_.payload.append(bytes.data(), take);
  bytes.remove_prefix(take);
  consumed_ += take;
  if (current_.payload.size() < current_.header.length) return std::nullopt;
  header_have_ = 0;
  return std::exchange(current_, frame{});
}

}  // namespace berth::agent
