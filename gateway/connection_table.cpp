#include "gateway/connection_table.hpp"

#include <vector>

namespace berth::gateway {

std::shared_ptr<void> connection_table::enter(std::weak_ptr<live_connection> who) {
  std::uint64_t number = 0;
  bool stopped = false;
  {
    const std::scoped_lock held(mutex_);
    number = next_++;
    members_.emplace(number, who);
    stopped = stopped_;
    ++size_;
  }
  if (const auto late = stopped ? who.lock() : nullptr) late->close_soon();
  return {nullptr, [self = shared_from_this(), number](void*) {
            const std::scoped_lock held(self->mutex_);
            self->members_.erase(number);
            --self->size_;
          }};
}

void connection_table::close_all() {
  std::vector<std::shared_ptr<live_connection>> open;
  {
    const std::scoped_lock held(mutex_);
    stopped_ = true;
    for (const auto& [number, who] : members_)
      if (auto one = who.lock()) open.push_back(std::move(one));
  }
  for (const auto& one : open) one->close_soon();
}

}  // namespace berth::gateway
