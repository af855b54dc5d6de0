#include "gateway/descriptor.hpp"

#include <unistd.h>

namespace berth::gateway {

std::shared_ptr<const int> own_descriptor(int descriptor) {
  return {new int(descriptor), [](const int* owned) {
            ::close(*owned);
            delete owned;
          }};
}

}  // namespace berth::gateway
