// How fast somebody may read who has time.
#pragma once

#include <cstddef>
#include <functional>

namespace berth {

// Told how many bytes were read; may sleep; false: stop.
using read_pace = std::function<bool(std::size_t bytes)>;

inline bool at_once(std::size_t) {
  return true;
}

}  // namespace berth
