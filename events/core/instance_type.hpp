// Instance types and their prices. A price is fixed by the version of the list it came from: bills
// name it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace berth {

inline constexpr std::int64_t pico_usd_per_usd = 1'000'000'000'000;
inline constexpr std::int64_t pico_usd_per_micro_usd = 1'000'000;

struct instance_type {
  std::string_view name;       // "lightweight"
  std::uint32_t cpu_millis{};  // 1000 = one core
  std::uint64_t memory_bytes{};
  std::uint32_t pids_max{};
  std::int64_t price_pico_usd_per_second{};  // while RUNNING
};

inline constexpr std::string_view current_price_list = "2026-11";

std::span<const instance_type> instance_types();
const instance_type* find_instance_type(std::string_view name);  // nullptr if unknown
// Pico-USD a second in a price list; nothing if list or type is unknown.
std::optional<std::int64_t> price_of(std::string_view price_list, std::string_view type);

}  // namespace berth
