#include "gateway/target.hpp"

#include <optional>

#include "events/core/arguments.hpp"

namespace berth::gateway {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) return {};
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (out.back() == '\0') return {};
  }
  if (!is_utf8(out)) return {};
  return out;
}

}  // namespace

bool split_target(std::string_view target, request& into) {
  if (!target.starts_with('/')) return false;
  const auto mark = target.find('?');
  auto path = decoded(target.substr(0, mark), false);
  if (!path) return false;
  into.path = std::move(*path);
  into.query.clear();
  if (mark == std::string_view::npos) return true;
  for (auto begin = mark + 1; begin < target.size();) {
    const auto end = std::min(target.find('&', begin), target.size());
    const auto pair = target.substr(begin, end - begin);
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decoded(pair.substr(0, equals), true);
    auto value = decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    if (!name->empty()) into.query[std::move(*name)] = std::move(*value);
    begin = end + 1;
  }
  return true;
}

}  // namespace berth::gateway
