// Positions and cursors as clients see them: opaque text.
//
//   position   `<partition>.<offset>`, decimal: "0.42"
//   cursor     the positions of every partition with something behind it, by partition, joined by
//              '_': "0.42_3.7"; of one partition alone therefore its position. "0.0" = before all.
//              Before it, of a journal that is not the embedded one, its tag: "kq3m8x2w1~0.42_3.7"
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "events/core/journal_cursor.hpp"

namespace berth::gateway {

inline constexpr std::size_t feed_cursor_bytes_max = 2'048;  // 64 partitions at any offset
inline constexpr char cursor_tag_end = '~';

std::string position_text(position at);
std::optional<position> parse_position(std::string_view text);

// `tag`: journal::cursor_tag.
std::string cursor_text(const journal_cursor& of, std::string_view tag = {});
// Nothing for what cursor_text does not write with this tag, but for leading zeros of a number.
// Whether a journal has such a place is another question.
std::optional<journal_cursor> parse_cursor(std::string_view text, std::string_view tag = {});

}  // namespace berth::gateway
