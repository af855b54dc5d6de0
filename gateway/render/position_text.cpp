#include "gateway/render/position_text.hpp"

#include <utility>

#include "gateway/fields.hpp"

namespace berth::gateway {

std::string position_text(position at) {
  return std::to_string(at.partition) + '.' + std::to_string(at.offset);
}

std::optional<position> parse_position(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return {};
  const auto partition = parse_decimal(text.substr(0, dot));
  const auto offset = parse_decimal(text.substr(dot + 1));
  if (!partition || !offset || *partition > ~std::uint32_t{0}) return {};
  return position{static_cast<std::uint32_t>(*partition), *offset};
}

std::string cursor_text(const journal_cursor& of, std::string_view tag) {
  std::string text;
  if (!tag.empty()) text = std::string{tag} + cursor_tag_end;
  if (of.empty()) return text + position_text({});
  bool is_first = true;
  for (const auto& at : of.places())
    text += (std::exchange(is_first, false) ? "" : "_") + position_text(at);
  return text;
}

std::optional<journal_cursor> parse_cursor(std::string_view text, std::string_view tag) {
  if (!tag.empty()) {
    if (!text.starts_with(tag) || text.size() == tag.size() || text[tag.size()] != cursor_tag_end)
      return {};
    text.remove_prefix(tag.size() + 1);
  }
  journal_cursor found;
  if (parse_position(text) == position{}) return found;
  for (std::optional<std::uint32_t> before;;) {
    const auto end = text.find('_');
    const auto at = parse_position(text.substr(0, end));
    if (!at || at->offset == 0 || (before && at->partition <= *before)) return {};
    found.set(*at);
    if (end == std::string_view::npos) return found;
    before = at->partition;
    text.remove_prefix(end + 1);
  }
}

}  // namespace berth::gateway
