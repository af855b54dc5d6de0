// Positions and cursors as clients see them: opaque text.
//
//   position   `<partition>.<offset>`, decimal: "0.42"
//   cursor     the positions of every partition with something behind it, by partition, joined by
//              '_': "0.42_3.7"; of one partition alone therefore its position. "0.0" = before all
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/journal_cursor.hpp"

namespace berth::gateway {

inline constexpr std::size_t feed_cursor_bytes_max = 2'048;  // 64 partitions at any offset

std::string position_text(position at);
std::optional<position> parse_position(std::string_view text);

std::string cursor_text(const journal_cursor& of);
// Nothing for what cursor_text does not write, but for leading zeros of a number. Whether a journal
// has such a place is another question.
std::optional<journal_cursor> parse_cursor(std::string_view text);

}  // namespace berth::gateway
