// What is special to an aggregate's actor: what it does to the world because of its state (DESIGN
// §3). reconcile compares what the durable state wants with what was asked of the world, and asks
// for the difference; after a crash the next incarnation does the same, so nothing is lost between
// append and effect.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor.hpp>
#include <caf/message_handler.hpp>

#include "actors/runtime.hpp"

namespace berth::actors {

template <class A>
struct effect_context {
  runtime& shared;
  std::string key;                                  // the aggregate's id
  caf::actor self;                                  // for messages back
  std::function<void(std::function<void()>)> post;  // runs a closure inside the actor; any thread
  // Of the commit that the durable state ends with: what an effect causes carries it on.
  std::function<correlation_id()> correlation;
  // Sends the actor's own stream a command of Berth. `effect` names it: the same effect at the same
  // version is the same command. `ended` is told, in the actor, whether it was taken; if
  // not, it was refused for good.
  std::function<void(typename A::command, const std::string& effect,
                     std::function<void(bool taken)> ended)>
      report_then;
  void report(typename A::command what, const std::string& effect) const {
    report_then(std::move(what), effect, {});
  }
};

template <class A>
class effects {
 public:
  virtual ~effects() = default;
  virtual void reconcile(const typename A::state& now, stream_version at) = 0;
  virtual bool busy() const { return false; }  // must stay in memory
  // The stream is led elsewhere now: who waits here is told so.
  virtual void led_elsewhere(const rejection&) {}
  // Further messages of this kind of actor; each must call handled() of the shell's entry through
  // `after`.
  virtual caf::message_handler handlers(std::function<void()> after) {
    (void)after;
    return {};
  }
};

template <class A>
std::unique_ptr<effects<A>> make_effects(effect_context<A> context);

}  // namespace berth::actors
