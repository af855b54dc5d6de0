// Fresh version 7 ids: of commands a connection gives by itself (session open, attach, detach,
// take_drive), of requests, of commands whose client chose none. Any thread.
#pragma once

#include <array>

#include "events/core/ids.hpp"
#include "gateway/services.hpp"

namespace berth::gateway {

inline uuid fresh_uuid(const services& given) {
  std::array<std::uint8_t, 10> random{};
  given.random(random);
  return uuid::v7(to_us(given.clock.now()) / 1000, random);
}

}  // namespace berth::gateway
