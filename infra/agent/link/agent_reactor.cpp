#include "infra/agent/link/agent_reactor.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <future>
#include <utility>

#include "events/core/invariant.hpp"

namespace berth::agent {

agent_reactor::agent_reactor() : wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  BERTH_ASSERT(wake_);
  loop_.add(wake_.get(), EPOLLIN, [this](std::uint32_t) { run_posted(); });
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "agent-links");
    loop_.run();
  }};
}

agent_reactor::~agent_reactor() {
  BERTH_ASSERT(!here());
  post([this] { loop_.stop(); });
  thread_.join();
}

void agent_reactor::post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first) ::eventfd_write(wake_.get(), 1);
}

void agent_reactor::run(const std::function<void()>& task) {
  if (here()) return task();
  std::promise<void> done;
  post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void agent_reactor::run_posted() {
  eventfd_t count{};
  ::eventfd_read(wake_.get(), &count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock{mutex_};
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

}  // namespace berth::agent
