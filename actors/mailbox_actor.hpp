// The base of our actors. libcaf is not instrumented, so ThreadSanitizer cannot see that its
// lock-free mailbox orders sender before receiver, and its reference count an actor's last turn
// before its destruction. In TSan builds this says so, and nothing else; otherwise it is
// caf::event_based_actor.
#pragma once

#include <caf/event_based_actor.hpp>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace berth::actors {

#ifdef __SANITIZE_THREAD__
class mailbox_actor : public caf::event_based_actor {
 public:
  using caf::event_based_actor::event_based_actor;
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* unit) override {
    __tsan_release(message.get());
    caf::event_based_actor::enqueue(std::move(message), unit);
  }
  caf::invoke_message_result consume(caf::mailbox_element& message) override {
    __tsan_acquire(&message);
    const auto result = caf::event_based_actor::consume(message);
    __tsan_release(this);
    return result;
  }
  bool cleanup(caf::error&& why, caf::execution_unit* unit) override {
    const bool cleaned = caf::event_based_actor::cleanup(std::move(why), unit);
    __tsan_release(this);
    return cleaned;
  }
  // First thing in the destructor of what is derived.
  void last_reference_dropped() { __tsan_acquire(this); }
};
#else
class mailbox_actor : public caf::event_based_actor {
 public:
  using caf::event_based_actor::event_based_actor;
  void last_reference_dropped() {}
};
#endif

}  // namespace berth::actors
