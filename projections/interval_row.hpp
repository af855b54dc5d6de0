// Intervals as tables of schemas/views.fbs, shared by the rows that hold one.
#pragma once

#include "projections/intervals.hpp"
#include "schemas/views_generated.h"

namespace berth {

fb::views::IntervalT to_table(const interval& of);
interval from_table(const fb::views::IntervalT& table);

}  // namespace berth
