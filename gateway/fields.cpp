#include "gateway/fields.hpp"

#include <charconv>
#include <cstdlib>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "gateway/base64.hpp"

namespace berth::gateway {
namespace {

constexpr std::string_view json_type = "application/json";

bool is_json_type(std::string_view content_type) {
  return content_type.substr(0, json_type.size()) == json_type &&
         (content_type.size() == json_type.size() || content_type[json_type.size()] == ';' ||
          content_type[json_type.size()] == ' ');
}

std::string_view view_of(const boost::json::string& text) {
  return {text.data(), text.size()};
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

}  // namespace

void throw_exception_from_error(const body_fields::failure&, const boost::source_location&) {
  std::abort();
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

void field_problem::refuse(std::string_view field, std::string message) {
  if (!problem_)
    problem_ = reject(rejection_code::invalid_argument, fmt::format("`{}` {}", field, message),
                      std::string(field));
}

boost::system::result<body_fields, body_fields::failure> body_fields::of(const request& asked) {
  body_fields read;
  if (asked.body.empty()) return read;
  const auto type = asked.headers.find("content-type");
  if (type != asked.headers.end() && !is_json_type(type->second))
    return failure{"unsupported_media_type",
                   "the body must be JSON; send it with the header Content-Type: application/json"};
  boost::json::parse_options options;
  options.max_depth = json_depth_max;
  boost::system::error_code failed;
  auto parsed = boost::json::parse(asked.body, failed, {}, options);
  if (failed) return failure{"bad_request", "the body is not valid JSON: " + failed.message()};
  if (!parsed.is_object()) return failure{"bad_request", "the body must be a JSON object"};
  read.object_ = std::move(parsed.get_object());
  return read;
}

bool body_fields::has(std::string_view name) const {
  return object_.contains(name);
}

// null means absent.
const boost::json::value* body_fields::find(std::string_view name, need is) {
  const auto* value = object_.if_contains(name);
  if (value && !value->is_null()) return value;
  if (is == need::required) refuse(name, "is required");
  return nullptr;
}

std::string body_fields::text(std::string_view name, need is, std::size_t bytes_max) {
  const auto* value = find(name, is);
  if (!value) return {};
  if (!value->is_string()) return refuse(name, "must be a string"), std::string();
  const auto text = view_of(value->get_string());
  if (text.size() > bytes_max)
    return refuse(name, fmt::format("is longer than {} bytes", bytes_max)), std::string();
  if (has_nul(text)) return refuse(name, "holds a NUL character"), std::string();
  if (is == need::required && text.empty()) refuse(name, "must not be empty");
  return std::string(text);
}

std::optional<std::uint64_t> body_fields::number(std::string_view name, need is, number_range in) {
  const auto* value = find(name, is);
  if (!value) return {};
  boost::system::error_code failed;
  const auto number = value->is_number() ? value->to_number<std::uint64_t>(failed) : 0;
  if (!value->is_number() || failed || number < in.least || number > in.most) {
    refuse(name, fmt::format("must be a whole number from {} to {}", in.least, in.most));
    return {};
  }
  return number;
}

bool body_fields::flag(std::string_view name, bool otherwise) {
  const auto* value = find(name, need::optional);
  if (!value) return otherwise;
  if (!value->is_bool()) return refuse(name, "must be true or false"), otherwise;
  return value->get_bool();
}

std::vector<std::string> body_fields::texts(std::string_view name, need is, std::size_t count_max,
                                            std::size_t bytes_max) {
  std::vector<std::string> all;
  const auto* value = find(name, is);
  if (!value) return all;
  if (!value->is_array()) return refuse(name, "must be an array of strings"), all;
  std::size_t bytes = 0;
  for (const auto& one : value->get_array()) {
    if (!one.is_string()) return refuse(name, "must be an array of strings"), all;
    const auto text = view_of(one.get_string());
    if (has_nul(text)) return refuse(name, "holds a NUL character"), all;
    bytes += text.size();
    all.emplace_back(text);
  }
  if (is == need::required && all.empty()) refuse(name, "must not be empty");
  if (all.size() > count_max) refuse(name, fmt::format("has more than {} strings", count_max));
  if (bytes > bytes_max) refuse(name, fmt::format("is longer than {} bytes", bytes_max));
  return all;
}

std::map<std::string, std::string> body_fields::text_map(std::string_view name,
                                                         std::size_t count_max,
                                                         std::size_t bytes_max) {
  std::map<std::string, std::string> all;
  const auto* value = find(name, need::optional);
  if (!value) return all;
  if (!value->is_object()) return refuse(name, "must be an object of strings"), all;
  std::size_t bytes = 0;
  for (const auto& [key, one] : value->get_object()) {
    if (!one.is_string()) return refuse(name, "must be an object of strings"), all;
    const std::string_view named(key.data(), key.size());
    const auto text = view_of(one.get_string());
    if (named.empty() || has_nul(named) || named.find('=') != std::string_view::npos ||
        has_nul(text))
      return refuse(name, "names must be non-empty without `=` or NUL, values without NUL"), all;
    bytes += named.size() + text.size();
    all.emplace(named, text);
  }
  if (all.size() > count_max) refuse(name, fmt::format("has more than {} entries", count_max));
  if (bytes > bytes_max) refuse(name, fmt::format("is longer than {} bytes", bytes_max));
  return all;
}

std::string body_fields::bytes(std::string_view name, std::size_t bytes_max) {
  const auto coded_name = std::string(name) + "_base64";
  const bool plain = has(name);
  if (plain && has(coded_name))
    return refuse(coded_name, fmt::format("excludes `{}`", name)), std::string();
  std::string read;
  const auto* value = find(plain ? name : std::string_view(coded_name), need::optional);
  if (!value) return read;
  const auto field = plain ? std::string(name) : coded_name;
  if (!value->is_string()) return refuse(field, "must be a string"), read;
  read = view_of(value->get_string());
  if (!plain) {
    auto decoded = base64_decode(read);
    if (!decoded) return refuse(field, "is not base64"), std::string();
    read = std::move(*decoded);
  }
  if (read.size() > bytes_max)
    return refuse(field, fmt::format("is longer than {} bytes", bytes_max)), std::string();
  return read;
}

std::string query_fields::text(std::string_view name, std::size_t bytes_max) {
  const auto at = values_.find(std::string(name));
  if (at == values_.end()) return {};
  if (at->second.size() > bytes_max)
    return refuse(name, fmt::format("is longer than {} bytes", bytes_max)), std::string();
  return at->second;
}

std::optional<std::uint64_t> query_fields::number(std::string_view name, number_range in) {
  const auto at = values_.find(std::string(name));
  if (at == values_.end()) return {};
  const auto value = parse_decimal(at->second);
  if (value && *value >= in.least && *value <= in.most) return value;
  refuse(name, fmt::format("must be a whole number from {} to {}", in.least, in.most));
  return {};
}

std::uint64_t query_fields::number_or(std::string_view name, number_range in,
                                      std::uint64_t otherwise) {
  return number(name, in).value_or(otherwise);
}

bool query_fields::flag(std::string_view name, bool otherwise) {
  const auto at = values_.find(std::string(name));
  if (at == values_.end()) return otherwise;
  if (at->second == "true" || at->second == "1") return true;
  if (at->second == "false" || at->second == "0") return false;
  return refuse(name, "must be true or false"), otherwise;
}

std::optional<timestamp> query_fields::time(std::string_view name) {
  const auto at = values_.find(std::string(name));
  if (at == values_.end()) return {};
  auto read = parse_rfc3339(at->second);
  if (!read) refuse(name, "must be a time such as 2026-11-21T13:04:05Z");
  return read;
}

}  // namespace berth::gateway
