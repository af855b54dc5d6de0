// agent_reactor without its thread: a target turns the loop itself (loop().run_once), so that an
// input decides all that happens. Linked in place of infra/agent/link/agent_reactor.cpp.
#include "infra/agent/link/agent_reactor.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace berth::agent {

agent_reactor::agent_reactor() : wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  loop_.add(wake_.get(), EPOLLIN, [this](std::uint32_t) { run_posted(); });
}

agent_reactor::~agent_reactor() {
  run_posted();
}

void agent_reactor::post(std::function<void()> task) {
  posted_.push_back(std::move(task));
  ::eventfd_write(wake_.get(), 1);
}

void agent_reactor::run(const std::function<void()>& task) {
  run_posted();
  task();
}

void agent_reactor::run_posted() {
  eventfd_t count{};
  ::eventfd_read(wake_.get(), &count);
  std::vector<std::function<void()>> tasks;
  tasks.swap(posted_);
  for (auto& task : tasks) task();
}

}  // namespace berth::agent
