// berth.v1: what a client may send as one binary message, and what a server may send to devctl:
// frames, control tables, compressed payloads.
#include "gateway/ws/binary_codec.hpp"
#include "gateway/ws/frame_fields.hpp"
#include "gateway/ws/json_codec.hpp"
#include "gateway/ws/zstd_stream.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/random_frames.hpp"

namespace berth::fuzz {
namespace {

// Texts of one table may share their bytes in FlatBuffers; a frame must not grow by that.
struct text_counter {
  std::size_t& bytes;
  void operator()(std::string_view, const std::string& text) { bytes += text.size(); }
  void operator()(std::string_view, const wire::blob& value) { bytes += value.bytes.size(); }
  void operator()(std::string_view, const wire::pairs& values) {
    for (const auto& [name, value] : values) bytes += name.size() + value.size();
  }
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(std::string_view, const T&) {}
};

std::size_t text_bytes(const wire::frame& frame) {
  std::size_t bytes = 0;
  std::visit(
      [&](const auto& message) {
        if constexpr (requires { wire::each_field(message, text_counter{bytes}); })
          wire::each_field(message, text_counter{bytes});
      },
      frame.what);
  return bytes;
}

void check_round_trip(const wire::frame& frame) {
  const auto bytes = wire::encode_message(frame);
  const auto again = wire::split_message(bytes);
  require(again.has_value() && again->size() == 1, "an encoded frame is one frame");
  const auto parsed = wire::parse_frame(again->front().header, again->front().payload);
  require(parsed.has_value() && *parsed == frame, "decode(encode(frame)) is the frame");
  const auto objects = wire::split_json(wire::encode_json(frame));
  require(objects.has_value() && objects->size() == 1, "a frame as JSON is one JSON object");
  require(wire::parse_json(objects->front()).has_value(), "a frame as JSON can be read");
}

void check_compression(std::string_view plain) {
  wire::zstd_writer writer;
  wire::zstd_reader reader;
  while (!plain.empty()) {
    const auto piece = plain.substr(0, 1 + plain.size() / 2);
    plain.remove_prefix(piece.size());
    const auto packed = writer.compress(piece);
    if (!packed) continue;
    const auto read = reader.decompress(packed->bytes, packed->fresh, wire::payload_bytes_max);
    require(read && *read == piece, "decompress(compress(bytes)) is the bytes");
  }
}

}  // namespace

void run(std::string_view input) {
  const auto frames = wire::split_message(input);
  if (!frames) return require(!frames.error().message.empty(), "a framing error says why");
  wire::zstd_reader reader;
  std::size_t bytes = 0;
  for (const auto& raw : *frames) {
    bytes += wire::header_bytes + raw.payload.size();
    auto payload = std::string(raw.payload);
    if (raw.header.flags & wire::flag_zstd) {
      const bool fresh = raw.header.flags & wire::flag_fresh;
      auto plain = reader.decompress(raw.payload, fresh, wire::payload_bytes_max);
      if (!plain) continue;
      require(plain->size() <= wire::payload_bytes_max, "a decompressed payload is bounded");
      payload = std::move(*plain);
    }
    const auto parsed = wire::parse_frame(raw.header, payload);
    if (!parsed) {
      require(!parsed.error().message.empty(), "a frame problem says what");
      continue;
    }
    require(text_bytes(*parsed) <= wire::payload_bytes_max, "the texts of a frame are bounded");
    if (text_bytes(*parsed) < 60'000) check_round_trip(*parsed);
  }
  require(bytes == input.size(), "the frames of a message cover it");
  check_compression(input.substr(0, wire::payload_bytes_max));
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  random_frames random{7};
  for (std::size_t kind = 0; kind < std::variant_size_v<wire::payload>; ++kind)
    for (int n = 0; n < 2; ++n) all.push_back(wire::encode_message(random.next(kind)));
  std::string several;
  for (int n = 0; n < 6; ++n) several += wire::encode_message(random.next());
  all.push_back(several);
  wire::zstd_writer writer;
  std::string compressed;
  for (int n = 0; n < 3; ++n) {
    const auto plain = std::string(600, static_cast<char>('a' + n)) + "end";
    const auto packed = writer.compress(plain);
    if (!packed) continue;
    wire::frame_header header{3, 1, wire::flag_zstd, 0, 0};
    if (packed->fresh) header.flags |= wire::flag_fresh;
    header.length = static_cast<std::uint16_t>(packed->bytes.size());
    const auto head = wire::bytes_of(header);
    compressed.append(head.data(), head.size()).append(packed->bytes);
  }
  all.push_back(compressed);
  return all;
}

}  // namespace berth::fuzz
