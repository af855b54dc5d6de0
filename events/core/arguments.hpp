// Checks of what callers send, shared by the aggregates. Each answers a rejection that names the
// field, or nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/core/rejection.hpp"

namespace berth {

inline constexpr std::size_t label_bytes_max = 63;  // RFC 1123
inline constexpr std::size_t path_bytes_max = 4096;
inline constexpr std::size_t short_text_bytes_max =
    256;  // labels, user agents, reasons of an operator
inline constexpr std::size_t long_text_bytes_max = 4096;  // causes and details from a host

rejection invalid(std::string_view field, std::string message);

// An RFC 1123 label: 1 to 63 of a-z, 0-9 and '-', neither first nor last '-'.
std::optional<rejection> refuse_label(std::string_view field, std::string_view value);
// UTF-8 of at most short_text_bytes_max bytes without NUL.
std::optional<rejection> refuse_short_text(std::string_view field, std::string_view value);
// As short text, and not empty.
std::optional<rejection> refuse_id(std::string_view field, std::string_view value);
// Empty, or an absolute path.
std::optional<rejection> refuse_path(std::string_view field, std::string_view value);
// Arguments of a process: no NUL, UTF-8, `bytes_max` together; the program's name is not empty.
std::optional<rejection> refuse_command(std::string_view field,
                                        const std::vector<std::string>& value,
                                        std::size_t bytes_max);

// Size of the character a text that is not empty starts with; 0 if it is none (RFC 3629).
std::size_t utf8_character_size(std::string_view text);
bool is_utf8(std::string_view text);
// At most `bytes_max` bytes, cut at a character's border.
std::string clipped(std::string text, std::size_t bytes_max);

}  // namespace berth
