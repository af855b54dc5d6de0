#include "gateway/descriptor.hpp"

#include <boost/asio/detail/socket_types.hpp>  // ::close, where there is one

namespace berth::gateway {

std::shared_ptr<const int> own_descriptor(int descriptor) {
  return {new int(descriptor), [](const int* owned) {
            ::close(*owned);
            delete owned;
          }};
}

}  // namespace berth::gateway
