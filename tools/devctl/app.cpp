#include "tools/devctl/app.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "tools/devctl/failure.hpp"
#include "tools/printable.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

// Code points, near enough to columns for names and numbers.
std::size_t width_of(const std::string& text) {
  return std::size_t(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

const config& app::configured() {
  if (!config_) config_ = std::make_unique<config>(load_config(server_flag));
  return *config_;
}

rest_client& app::rest() {
  if (!rest_) rest_ = std::make_unique<rest_client>(configured());
  return *rest_;
}

rest_client& app::authorised() {
  if (configured().token.empty())
    throw failure(exit_auth, "not logged in",
                  "run `devctl login --server URL --token-file FILE` or set BERTH_TOKEN");
  return rest();
}

void app::print_list(const json::array& items, const std::vector<column>& columns,
                     const std::string& empty) const {
  if (json()) {
    fmt::print("{}\n", json::serialize(items));
    return;
  }
  if (items.empty()) {
    note(empty);
    return;
  }
  std::vector<std::vector<std::string>> rows(1);
  for (const auto& each : columns) rows[0].push_back(each.title);
  for (const auto& item : items) {
    auto& row = rows.emplace_back();
    for (const auto& each : columns) row.push_back(printable(text_of(item, each.path)));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    fmt::print("{}\n", line);
  }
}

void app::print_object(const json::value& object, const std::vector<column>& columns) const {
  if (json()) {
    fmt::print("{}\n", json::serialize(object));
    return;
  }
  std::size_t width = 0;
  for (const auto& each : columns) width = std::max(width, each.title.size());
  for (const auto& each : columns) {
    const auto text = printable(text_of(object, each.path));
    if (!text.empty()) fmt::print("{:<{}}  {}\n", each.title + ":", width + 1, text);
  }
}

void app::note(const std::string& line) const {
  if (!json() && !line.empty()) fmt::print(stderr, "{}\n", line);
}

}  // namespace berth::devctl
