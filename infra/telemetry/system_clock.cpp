#include "infra/telemetry/system_clock.hpp"

#include <fstream>

namespace berth {

timestamp system_clock::now() const {
  const auto wall =
      std::chrono::duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto seen = last_us_.load(std::memory_order_relaxed);
  while (seen < wall.count() &&
         !last_us_.compare_exchange_weak(seen, wall.count(), std::memory_order_relaxed)) {}
  return from_us(std::max<std::int64_t>(seen, wall.count()));
}

std::string boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string text;
  std::getline(file, text);
  return text;
}

}  // namespace berth
