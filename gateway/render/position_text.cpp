#include "gateway/render/position_text.hpp"

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

}  // namespace berth::gateway
