// A descriptor that a route hands to its connection (port forwarding): closed with the last copy.
#pragma once

#include <memory>

namespace berth::gateway {
std::shared_ptr<const int> own_descriptor(int descriptor);
}  // namespace berth::gateway
