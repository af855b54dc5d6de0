// The session aggregate as the shell sees it (events/core/aggregate.hpp). Pure; any thread.
#pragma once

#include "events/core/aggregate.hpp"
#include "events/session/commands.hpp"
#include "events/session/events.hpp"
#include "events/session/state.hpp"

namespace berth::session {

struct aggregate {
  using state = session::state;
  using command = session::command;
  using event = session::event;
  static constexpr auto kind = aggregate_kind::session;
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

}  // namespace berth::session
