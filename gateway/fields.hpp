// Reads what a client sent: the JSON body and the query, field by field. The first wrong field is
// remembered with its name, so a route reads all it needs and asks once for the problem. Unknown
// fields are ignored. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "events/core/rejection.hpp"
#include "gateway/http_message.hpp"

namespace berth::gateway {

inline constexpr std::size_t json_depth_max = 16;

enum class need : std::uint8_t { optional, required };

struct number_range {
  std::uint64_t least{};
  std::uint64_t most{~std::uint64_t{0}};
};

class field_problem {
 public:
  void refuse(std::string_view field, std::string message);
  const std::optional<rejection>& problem() const { return problem_; }

 private:
  std::optional<rejection> problem_;
};

class body_fields : public field_problem {
 public:
  // An empty body is an empty object. Errors: bad_json() below, or unsupported_type() for another
  // content type.
  struct failure {
    std::string_view code;  // of problem_kinds()
    std::string message;
  };
  static boost::system::result<body_fields, failure> of(const request& asked);

  bool has(std::string_view name) const;
  std::string text(std::string_view name, need is, std::size_t bytes_max);
  std::optional<std::uint64_t> number(std::string_view name, need is, number_range in);
  bool flag(std::string_view name, bool otherwise);
  std::vector<std::string> texts(std::string_view name, need is, std::size_t count_max,
                                 std::size_t bytes_max);
  std::map<std::string, std::string> text_map(std::string_view name, std::size_t count_max,
                                              std::size_t bytes_max);
  // Bytes as text under `name`, or as base64 under `name_base64`.
  std::string bytes(std::string_view name, std::size_t bytes_max);

 private:
  const boost::json::value* find(std::string_view name, need is);
  boost::json::object object_;
};
[[noreturn]] void throw_exception_from_error(const body_fields::failure& error,
                                             const boost::source_location& where);

class query_fields : public field_problem {
 public:
  explicit query_fields(const request& asked) : values_(asked.query) {}
  std::string text(std::string_view name, std::size_t bytes_max);
  std::optional<std::uint64_t> number(std::string_view name, number_range in);
  std::uint64_t number_or(std::string_view name, number_range in, std::uint64_t otherwise);
  bool flag(std::string_view name, bool otherwise);
  // RFC 3339 times.
  std::optional<timestamp> time(std::string_view name);

 private:
  const std::map<std::string, std::string>& values_;
};

// Decimal digits only, no sign; nothing if it is not a number or above 2^64 - 1.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace berth::gateway
