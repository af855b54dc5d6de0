// A counted, immutable block of bytes: encoded once, shared by journal, viewers and sockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace berth {
using shared_bytes = std::shared_ptr<const std::string>;
inline shared_bytes share(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}
}  // namespace berth
