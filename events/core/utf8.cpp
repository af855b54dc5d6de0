#include "events/core/utf8.hpp"

#include <cstdint>

namespace berth {
namespace {

// Unicode table 3-7: length of a sequence by its first byte, and the range of its second.
struct sequence {
  std::size_t size{};
  std::uint8_t second_least{0x80};
  std::uint8_t second_most{0xBF};
};

sequence sequence_of(std::uint8_t first) {
  if (first < 0x80) return {1};
  if (first < 0xC2) return {};
  if (first < 0xE0) return {2};
  if (first == 0xE0) return {3, 0xA0};
  if (first == 0xED) return {3, 0x80, 0x9F};
  if (first < 0xF0) return {3};
  if (first == 0xF0) return {4, 0x90};
  if (first < 0xF4) return {4};
  if (first == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// How many bytes from `at` belong to one (possibly cut) sequence; at least 1.
std::size_t well_formed_bytes(std::string_view bytes, std::size_t at, const sequence& wanted) {
  std::size_t have = 1;
  for (; have < wanted.size && at + have < bytes.size(); ++have) {
    const auto byte = static_cast<std::uint8_t>(bytes[at + have]);
    const auto least = have == 1 ? wanted.second_least : 0x80;
    const auto most = have == 1 ? wanted.second_most : 0xBF;
    if (byte < least || byte > most) break;
  }
  return have;
}

}  // namespace

std::size_t append_utf8(std::string& out, std::string_view bytes, bool& replaced) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto wanted = sequence_of(static_cast<std::uint8_t>(bytes[at]));
    const auto have = wanted.size == 0 ? 1 : well_formed_bytes(bytes, at, wanted);
    if (have == wanted.size) {
      out.append(bytes, at, have);
    } else if (wanted.size > 0 && at + have == bytes.size()) {
      return have;
    } else {
      out += "\xEF\xBF\xBD";
      replaced = true;
    }
    at += have;
  }
  return 0;
}

}  // namespace berth
