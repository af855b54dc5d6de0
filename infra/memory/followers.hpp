// Who wants to be woken when the durable head moves (journal::follow). Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "events/core/ids.hpp"

namespace berth {

class followers {
 public:
  // The subscription ends when the handle is destroyed; the destructor waits for a running call,
  // unless it runs inside that call.
  std::shared_ptr<void> add(std::function<void(position)> wake);
  void wake(position head);
  void clear();  // nobody is called any more; handles stay valid

 private:
  struct subscription;
  std::mutex mutex_;
  std::vector<std::weak_ptr<subscription>> subscriptions_;
};

}  // namespace berth
