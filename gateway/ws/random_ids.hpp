// Fresh ids for the commands a connection gives by itself (session open, attach, detach,
// take_drive). Any thread.
#pragma once

#include <array>

#include "actors/ports/clock.hpp"
#include "events/core/ids.hpp"
#include "gateway/auth/hmac.hpp"

namespace berth::gateway {

inline uuid fresh_uuid(const clock& time) {
  std::array<std::uint8_t, 10> random{};
  fill_random(random);
  return uuid::v7(to_us(time.now()) / 1000, random);
}

}  // namespace berth::gateway
