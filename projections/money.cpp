#include "projections/money.hpp"

#include <limits>

#include "events/core/instance_type.hpp"
#include "events/core/invariant.hpp"

namespace berth {

std::optional<std::int64_t> amount_pico_usd(std::int64_t price_pico_usd_per_second,
                                            microseconds duration) {
  constexpr std::int64_t us_per_second = 1'000'000;
  const auto amount =
      static_cast<__int128>(price_pico_usd_per_second) * duration.count() / us_per_second;
  if (amount > std::numeric_limits<std::int64_t>::max() ||
      amount < std::numeric_limits<std::int64_t>::min()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(amount);
}

std::int64_t round_to_micro_usd(std::int64_t pico_usd) {
  constexpr std::int64_t half = pico_usd_per_micro_usd / 2;
  auto whole = pico_usd / pico_usd_per_micro_usd;
  auto rest = pico_usd % pico_usd_per_micro_usd;
  if (rest < 0) {  // Rounds towards minus infinity first, so that the rest is 0 … 999,999.
    rest += pico_usd_per_micro_usd;
    --whole;
  }
  BERTH_ASSERT(rest >= 0 && rest < pico_usd_per_micro_usd);
  const bool up = rest > half || (rest == half && whole % 2 != 0);
  return up ? whole + 1 : whole;
}

std::optional<std::int64_t> add_amounts(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

}  // namespace berth
