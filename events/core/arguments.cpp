#include "events/core/arguments.hpp"

#include <algorithm>

namespace berth {
namespace {

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

}  // namespace

// No surrogates, the shortest form only, up to U+10FFFF.
std::size_t utf8_character_size(std::string_view text) {
  const auto at = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) > 0x9f) return 0;
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) > 0x8f) return 0;
  return size;
}

rejection invalid(std::string_view field, std::string message) {
  return reject(rejection_code::invalid_argument, std::string{field} + ": " + std::move(message),
                std::string{field});
}

std::optional<rejection> refuse_label(std::string_view field, std::string_view value) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  const bool fits = !value.empty() && value.size() <= label_bytes_max &&
                    std::all_of(value.begin(), value.end(), allowed) && value.front() != '-' &&
                    value.back() != '-';
  if (fits) return std::nullopt;
  return invalid(
      field, "must be 1 to 63 lower-case letters, digits or '-', not starting or ending with '-'");
}

std::optional<rejection> refuse_short_text(std::string_view field, std::string_view value) {
  if (value.size() > short_text_bytes_max) {
    return invalid(field, "is longer than " + std::to_string(short_text_bytes_max) + " bytes");
  }
  if (has_nul(value) || !is_utf8(value)) return invalid(field, "is not UTF-8 text");
  return std::nullopt;
}

std::optional<rejection> refuse_id(std::string_view field, std::string_view value) {
  if (value.empty()) return invalid(field, "is missing");
  return refuse_short_text(field, value);
}

std::optional<rejection> refuse_path(std::string_view field, std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (value.front() != '/') return invalid(field, "must be an absolute path");
  if (value.size() > path_bytes_max) {
    return invalid(field, "is longer than " + std::to_string(path_bytes_max) + " bytes");
  }
  if (has_nul(value) || !is_utf8(value)) return invalid(field, "is not UTF-8 text");
  return std::nullopt;
}

std::optional<rejection> refuse_command(std::string_view field,
                                        const std::vector<std::string>& value,
                                        std::size_t bytes_max) {
  if (value.empty() || value.front().empty()) return invalid(field, "must name a program to run");
  std::size_t bytes = 0;
  for (const auto& argument : value) {
    if (has_nul(argument) || !is_utf8(argument))
      return invalid(field, "has an argument that is not UTF-8 text");
    bytes += argument.size() + 1;
  }
  if (bytes > bytes_max)
    return invalid(field, "is longer than " + std::to_string(bytes_max) + " bytes");
  return std::nullopt;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto size = utf8_character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string clipped(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && is_continuation(text[end])) --end;
  text.resize(end);
  return text;
}

}  // namespace berth
