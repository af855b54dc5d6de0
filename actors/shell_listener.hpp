// Turns the journal's completions into one message an actor and batch.
#pragma once

#include <memory>
#include <vector>

#include <caf/actor.hpp>
#include <caf/send.hpp>

#include "actors/interfaces.hpp"
#include "events/core/journal.hpp"

namespace berth::actors {

class shell_listener : public append_listener {
 public:
  explicit shell_listener(caf::actor to) : to_{std::move(to)} {}
  void appended(std::span<const append_result> results) override {
    caf::anon_send(to_, appended_message{std::make_shared<const std::vector<append_result>>(
                            results.begin(), results.end())});
  }

 private:
  caf::actor to_;
};

}  // namespace berth::actors
