#include "infra/memory/followers.hpp"

#include <utility>

namespace berth {

struct followers::subscription {
  std::recursive_mutex mutex;  // recursive: a follower may end itself inside its own call
  std::function<void(position)> wake;

  void call(position head) {
    const std::lock_guard lock{mutex};
    if (const auto target = wake) target(head);
  }
  void end() {
    const std::lock_guard lock{mutex};
    wake = nullptr;
  }
};

std::shared_ptr<void> followers::add(std::function<void(position)> wake) {
  auto added = std::make_shared<subscription>();
  added->wake = std::move(wake);
  const std::lock_guard lock{mutex_};
  subscriptions_.push_back(added);
  auto* raw = added.get();
  return {raw, [added](void*) { added->end(); }};
}

void followers::wake(position head) {
  std::vector<std::shared_ptr<subscription>> alive;
  {
    const std::lock_guard lock{mutex_};
    std::erase_if(subscriptions_, [&](const auto& weak) {
      auto strong = weak.lock();
      if (!strong) return true;
      alive.push_back(std::move(strong));
      return false;
    });
  }
  for (const auto& each : alive) each->call(head);
}

void followers::clear() {
  std::vector<std::weak_ptr<subscription>> ended;
  {
    const std::lock_guard lock{mutex_};
    ended.swap(subscriptions_);
  }
  for (const auto& weak : ended)
    if (const auto strong = weak.lock()) strong->end();
}

}  // namespace berth
