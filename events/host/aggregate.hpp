// The host aggregate as the shell sees it (events/core/aggregate.hpp). Pure; any thread.
#pragma once

#include "events/core/aggregate.hpp"
#include "events/host/commands.hpp"
#include "events/host/events.hpp"
#include "events/host/state.hpp"

namespace berth::host {

struct aggregate {
  using state = host::state;
  using command = host::command;
  using event = host::event;
  static constexpr auto kind = aggregate_kind::host;
  static constexpr std::uint32_t fold_version = 2;
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

}  // namespace berth::host
