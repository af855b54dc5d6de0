// How long what was in which state, and how often it was used. Rows:
//   state/<environment>, since/<environment>                the open interval (intervals.hpp)
//   open/<account>/<environment>                            environments that have one
//   interval/<account>/<end>/<environment>/<last version>   closed intervals; by end, so that a
//   period is one scan counts/<account>/<hour>/<environment>                   execs asked and
//   terminals opened in that hour (UTC)
#pragma once

#include <memory>

#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view usage_name = "usage";
std::unique_ptr<projection> make_usage();

struct usage_counts {
  std::uint64_t execs{};
  std::uint64_t terminals{};
};
std::optional<usage_counts> decode_counts(std::string_view row);

}  // namespace berth
