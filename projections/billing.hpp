// What it costs: one line an ended interval of RUNNING. Rows:
//   state/<environment>, since/<environment>            the open interval (intervals.hpp)
//   line/<account>/<end>/<environment>/<last version>   lines; totals are sums of rounded lines
#pragma once

#include <memory>

#include "projections/intervals.hpp"
#include "projections/projection.hpp"

namespace berth {

inline constexpr std::string_view billing_name = "billing";
std::unique_ptr<projection> make_billing();

// A line names the price list and the stream's version range it came from (in `what`), never a
// position.
struct bill_line {
  interval what;
  std::int64_t amount_pico_usd{};   // exact
  std::int64_t amount_micro_usd{};  // rounded once, half to even
  bool overflowed{};                // the amount does not fit; both are 0
  bool operator==(const bill_line&) const = default;
};
bill_line line_of(const interval& running);
std::optional<bill_line> decode_line(std::string_view row);

}  // namespace berth
