// Money: 64-bit integer pico-USD, exact until a bill line rounds it once, half to even, to
// micro-USD. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "events/core/time.hpp"

namespace berth {

// price * duration; nothing if it does not fit. Exact when the price is a multiple of 1,000,000
// pico-USD a second, as those of every price list are; otherwise cut to a whole pico-USD.
std::optional<std::int64_t> amount_pico_usd(std::int64_t price_pico_usd_per_second,
                                            microseconds duration);

std::int64_t round_to_micro_usd(std::int64_t pico_usd);

// Nothing if the sum does not fit.
std::optional<std::int64_t> add_amounts(std::int64_t a, std::int64_t b);

}  // namespace berth
