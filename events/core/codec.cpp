#include "events/core/codec.hpp"

namespace berth::codec {

decode_error malformed(std::string_view what) {
  return {decode_error::reason::malformed, std::string{what}};
}

decode_error unknown_type(std::string_view aggregate, std::uint16_t type) {
  return {decode_error::reason::unknown_type, std::string{aggregate} + " event type " +
                                                  std::to_string(type) +
                                                  " is not known to this build"};
}

std::vector<std::uint8_t> to_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

std::string to_text(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::vector<std::uint8_t> to_bytes(const uuid& id) {
  if (id.is_nil()) return {};
  return {id.bytes.begin(), id.bytes.end()};
}

timestamp field_reader::time(std::int64_t us) {
  constexpr std::int64_t end_of_9999_us = 253'402'300'799'999'999;
  ok = ok && us >= 0 && us <= end_of_9999_us;
  return ok ? from_us(us) : timestamp{};
}

uuid field_reader::id(const std::vector<std::uint8_t>& bytes) {
  uuid out;
  if (bytes.empty()) return out;
  if (bytes.size() != out.bytes.size()) {
    ok = false;
    return out;
  }
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

std::array<std::uint8_t, 32> field_reader::hash(const std::vector<std::uint8_t>& bytes) {
  std::array<std::uint8_t, 32> out{};
  if (bytes.size() != out.size()) {
    ok = false;
    return out;
  }
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

canonical_text& canonical_text::text(std::string_view value) {
  out_ += std::to_string(value.size());
  out_ += ':';
  out_ += value;
  out_ += ',';
  return *this;
}

canonical_text& canonical_text::number(std::int64_t value) {
  return text(std::to_string(value));
}

}  // namespace berth::codec
