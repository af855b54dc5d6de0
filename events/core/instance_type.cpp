#include "events/core/instance_type.hpp"

#include <algorithm>
#include <array>

namespace berth {
namespace {

constexpr std::uint64_t gib = 1024ull * 1024 * 1024;

// Price list 2026-11: a core costs 14 and a GiB of memory 4.5 micro-USD a second, so every type's
// price is its parts' sum and a larger one is never cheaper. lightweight is about 0.083 USD an
// hour.
constexpr std::int64_t pico_usd_per_core_second = 14 * pico_usd_per_micro_usd;
constexpr std::int64_t pico_usd_per_gib_second = 45 * pico_usd_per_micro_usd / 10;
constexpr std::uint32_t pids_per_core =
    1024;  // a parallel build and a language server fit, a fork bomb does not

constexpr instance_type make(std::string_view name, std::uint32_t cores, std::uint32_t memory_gib) {
  return {name, cores * 1000, memory_gib * gib, 1024 + cores * pids_per_core,
          cores * pico_usd_per_core_second + memory_gib * pico_usd_per_gib_second};
}

constexpr std::array types = {make("lightweight", 1, 2), make("balanced", 2, 4),
                              make("compute", 4, 8), make("memory", 2, 8)};

// A microsecond of every type costs a whole number of pico-USD: amounts are exact until a bill line
// rounds them.
static_assert(std::all_of(types.begin(), types.end(), [](const instance_type& type) {
  return type.price_pico_usd_per_second % 1'000'000 == 0;
}));

}  // namespace

std::span<const instance_type> instance_types() {
  return types;
}

const instance_type* find_instance_type(std::string_view name) {
  for (const auto& type : types) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::optional<std::int64_t> price_of(std::string_view price_list, std::string_view type) {
  if (price_list != current_price_list) return std::nullopt;
  const auto* found = find_instance_type(type);
  if (found == nullptr) return std::nullopt;
  return found->price_pico_usd_per_second;
}

}  // namespace berth
