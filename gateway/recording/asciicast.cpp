#include "gateway/recording/asciicast.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "events/core/utf8.hpp"

namespace berth::gateway {

asciicast_writer::asciicast_writer(asciicast_format format, std::uint16_t cols, std::uint16_t rows,
                                   timestamp began, std::string& out)
    : format_(format), began_(began), last_(began) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(began).time_since_epoch().count();
  const boost::json::object env{{"TERM", "xterm-256color"}};
  boost::json::object header{{"version", static_cast<int>(format)}};
  if (format == asciicast_format::v2) {
    header.emplace("width", cols);
    header.emplace("height", rows);
    header.emplace("env", env);
  } else {
    header.emplace("term",
                   boost::json::object{{"cols", cols}, {"rows", rows}, {"type", "xterm-256color"}});
  }
  header.emplace("timestamp", seconds);
  out += boost::json::serialize(header);
  out += '\n';
}

void asciicast_writer::event(timestamp at, char code, std::string_view text, std::string& out) {
  at = std::max(at, last_);
  const auto since = format_ == asciicast_format::v2 ? at - began_ : at - last_;
  last_ = at;
  const auto us = since.count();
  fmt::format_to(std::back_inserter(out), "[{}.{:06}, \"{}\", ", us / 1'000'000, us % 1'000'000,
                 code);
  out += boost::json::serialize(boost::json::string_view(text));
  out += "]\n";
}

void asciicast_writer::output(timestamp at, std::string_view bytes, std::string& out) {
  std::string whole;
  std::string text;
  if (!cut_.empty()) {
    whole = std::move(cut_) + std::string(bytes);
    bytes = whole;
  }
  bool replaced = false;
  const auto left = append_utf8(text, bytes, replaced);
  cut_ = bytes.substr(bytes.size() - left);
  if (!text.empty()) event(at, 'o', text, out);
}

void asciicast_writer::resize(timestamp at, std::uint16_t cols, std::uint16_t rows,
                              std::string& out) {
  event(at, 'r', fmt::format("{}x{}", cols, rows), out);
}

void asciicast_writer::end(timestamp at, std::optional<std::int32_t> exit_code, std::string& out) {
  if (!cut_.empty()) event(at, 'o', "\xEF\xBF\xBD", out);
  cut_.clear();
  if (format_ == asciicast_format::v3 && exit_code) event(at, 'x', std::to_string(*exit_code), out);
}

}  // namespace berth::gateway
