// The environment aggregate as the shell sees it (events/core/aggregate.hpp). Pure; any thread.
#pragma once

#include "events/core/aggregate.hpp"
#include "events/environment/commands.hpp"
#include "events/environment/events.hpp"
#include "events/environment/state.hpp"

namespace berth::environment {

struct aggregate {
  using state = environment::state;
  using command = environment::command;
  using event = environment::event;
  static constexpr auto kind = aggregate_kind::environment;
  static constexpr std::uint32_t fold_version = 1;
  static decision<event> decide(const state& now, const command& asked,
                                const decide_context& context);
  static state apply(state now, const event& happened);
  static event_record encode(const event& happened);
  static decoded<event> decode(const event_record& record);
  static std::string encode_state(const state& now);
  static decoded<state> decode_state(std::string_view bytes);
  static std::string canonical(const command& asked);
  static std::optional<timestamp> deadline(const state& now);
  static command on_deadline(const state& now);
};

}  // namespace berth::environment
