// Every message an actor understands, one comment line a message. Only actors/*.cpp include this.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/kernel.hpp"
#include "events/core/journal.hpp"

namespace berth::actors {

// Counts one command against its bounds for as long as it lives (kernel.hpp K3).
class admission {
 public:
  using counter = std::shared_ptr<std::atomic<std::uint32_t>>;
  admission() = default;
  admission(counter actor, counter account, counter kernel)
      : counters_{std::move(actor), std::move(account), std::move(kernel)} {}
  admission(admission&&) = default;
  admission& operator=(admission&& other) noexcept {
    counters_.swap(other.counters_);  // what was counted here is given back when `other` goes
    return *this;
  }
  ~admission() {
    for (auto& each : counters_)
      if (each) each->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::array<counter, 3> counters_;
};

// Answers exactly once: a request dropped on the way (shutdown) is answered when it is destroyed.
template <class A>
struct ask_request {
  ask_request(typename A::command what, command_meta with, answer_completion<A> then)
      : command{std::move(what)}, meta{std::move(with)}, done_{std::move(then)} {}
  ask_request(const ask_request&) = delete;
  ask_request& operator=(const ask_request&) = delete;
  ~ask_request() {
    if (done_)
      done_(reject(rejection_code::unknown_outcome,
                   "the server is shutting down; retry with the same id"));
  }
  void finish(outcome<answer<A>> result) {
    admitted = {};
    if (auto then = std::exchange(done_, nullptr)) then(std::move(result));
  }

  typename A::command command;
  command_meta meta;
  admission admitted;

 private:
  answer_completion<A> done_;
};
template <class A>
struct read_request {
  principal by;
  answer_completion<A> done;
};
template <class A>
struct watch_request {
  principal by;
  std::weak_ptr<void> alive;  // gone: the watcher is
  answer_completion<A> seen;
};

// Decide, append, answer when durable.
template <class A>
struct ask_message {
  std::shared_ptr<ask_request<A>> request;
};
// Answer with the durable state.
template <class A>
struct read_message {
  std::shared_ptr<read_request<A>> request;
};
// Tell the durable state now and after every commit.
template <class A>
struct watch_message {
  std::shared_ptr<watch_request<A>> request;
};
// The journal finished appends of this actor, in order.
struct appended_message {
  std::shared_ptr<const std::vector<append_result>> results;
};
// An effect's result, to be run inside the actor.
struct effect_message {
  std::shared_ptr<std::function<void()>> run;
};
// The armed deadline has come (or an older one: the actor looks again).
struct deadline_message {};
// Load the state and see to the effects; nothing else (after a start, when the host's adoption is
// known).
struct wake_message {};
// Leave memory if idle.
struct passivate_message {};

// The agent sent output.
struct chunk_message {
  std::uint64_t offset{};
  shared_bytes data;
};
// The agent says the terminal has ended.
struct terminal_end_message {
  terminal_end end;
};
// The bulk log synced up to here.
struct bulk_durable_message {
  std::uint64_t durable{};
};
struct attach_task {
  attach_request request;
  std::shared_ptr<terminal_viewer> viewer;
  std::function<void(outcome<attached_terminal>)> done;
};
// A viewer wants to attach.
struct attach_message {
  std::shared_ptr<attach_task> task;
};
// A viewer is gone.
struct detach_message {
  std::uint64_t viewer{};
};
// A viewer returned credit.
struct credit_message {
  std::uint64_t viewer{};
  std::uint64_t consumed{};
  std::uint64_t until{};
};
// The driving viewer's window changed size.
struct resize_message {
  std::uint64_t viewer{};
  std::uint16_t cols{}, rows{};
};
// A viewer with the right to drive typed while somebody else was driving.
struct drive_message {
  std::uint64_t viewer{};
};
// Go on delivering to viewers that are behind.
struct pump_message {};
// Look whether the driver still returns credit.
struct pace_message {};

}  // namespace berth::actors

// Messages stay inside one process; they carry values, never bytes.
namespace caf {
template <class A>
struct allowed_unsafe_message_type<berth::actors::ask_message<A>> : std::true_type {};
template <class A>
struct allowed_unsafe_message_type<berth::actors::read_message<A>> : std::true_type {};
template <class A>
struct allowed_unsafe_message_type<berth::actors::watch_message<A>> : std::true_type {};
}  // namespace caf
#define BERTH_MESSAGE(name)                                                    \
  namespace caf {                                                              \
  template <>                                                                  \
  struct allowed_unsafe_message_type<berth::actors::name> : std::true_type {}; \
  }
BERTH_MESSAGE(appended_message)
BERTH_MESSAGE(effect_message)
BERTH_MESSAGE(deadline_message)
BERTH_MESSAGE(wake_message)
BERTH_MESSAGE(passivate_message)
BERTH_MESSAGE(chunk_message)
BERTH_MESSAGE(terminal_end_message)
BERTH_MESSAGE(bulk_durable_message)
BERTH_MESSAGE(attach_message)
BERTH_MESSAGE(detach_message)
BERTH_MESSAGE(credit_message)
BERTH_MESSAGE(resize_message)
BERTH_MESSAGE(drive_message)
BERTH_MESSAGE(pump_message)
BERTH_MESSAGE(pace_message)
#undef BERTH_MESSAGE
