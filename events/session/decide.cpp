// What a session accepts.
#include "events/core/arguments.hpp"
#include "events/core/invariant.hpp"
#include "events/core/match.hpp"
#include "events/session/aggregate.hpp"

namespace berth::session {
namespace {

using events = std::vector<event>;
using answer = decision<event>;

rejection not_found() {
  return reject(rejection_code::not_found, "the session does not exist; open one");
}

rejection is_closed(std::string_view asked) {
  return reject(rejection_code::wrong_state,
                "cannot " + std::string{asked} + " a session that is closed; open a new one");
}

answer decide_open(const state& now, const open& c, timestamp at) {
  if (now.exists) {
    const bool same = now.account == c.account && now.token == c.token && now.client == c.client;
    if (same && !now.closed) return events{};
    return reject(rejection_code::wrong_state,
                  "the session exists already; open one with a new id");
  }
  if (auto no = refuse_id("account", c.account.value)) return *no;
  if (auto no = refuse_short_text("token", c.token.value)) return *no;
  if (auto no = refuse_short_text("client", c.client)) return *no;
  if (c.input_stream.is_nil()) return invalid("input_stream", "is missing");
  return events{opened{c.account, c.token, c.client, c.input_stream, at}};
}

answer decide_attach(const state& now, const attach& c, timestamp at) {
  if (auto no = refuse_id("connection", c.connection)) return *no;
  if (auto no = refuse_short_text("remote", c.remote)) return *no;
  if (now.closed) return is_closed("attach to");
  if (now.connections.contains(c.connection)) return events{};
  events out;
  // Connections of a server that crashed were never detached. Their ids sort by age, so the first
  // is the oldest.
  if (now.connections.size() >= connections_max)
    out.push_back(detached{*now.connections.begin(), at});
  out.push_back(attached{c.connection, c.remote, at});
  BERTH_ASSERT(out.size() <= 2);
  return out;
}

answer decide_detach(const state& now, const detach& c, timestamp at) {
  if (!now.connections.contains(c.connection)) return events{};
  return events{detached{c.connection, at}};
}

answer decide_hand_over(const state& now, const hand_over& c, timestamp at) {
  if (auto no = refuse_short_text("client", c.client)) return *no;
  if (c.input_stream.is_nil()) return invalid("input_stream", "is missing");
  if (now.closed) return is_closed("hand over");
  if (now.input_stream == c.input_stream) {
    if (now.client == c.client) return events{};
    return invalid("input_stream", "belongs to the present device; the next one needs its own");
  }
  return events{handed_over{c.client, c.input_stream, at}};
}

answer decide_expire(const state& now, timestamp at) {
  const auto due = aggregate::deadline(now);
  if (!due || *due > at) return events{};
  return events{closed{close_reason::idle, at}};
}

}  // namespace

decision<event> aggregate::decide(const state& now, const command& asked,
                                  const decide_context& context) {
  const auto at = context.now;
  if (!now.exists && !std::holds_alternative<open>(asked)) return not_found();
  return std::visit(match{
                        [&](const open& c) { return decide_open(now, c, at); },
                        [&](const attach& c) { return decide_attach(now, c, at); },
                        [&](const detach& c) { return decide_detach(now, c, at); },
                        [&](const hand_over& c) { return decide_hand_over(now, c, at); },
                        [&](const close& c) -> answer {
                          if (now.closed) return events{};
                          return events{closed{c.reason, at}};
                        },
                        [&](const expire&) { return decide_expire(now, at); },
                    },
                    asked);
}

std::optional<timestamp> aggregate::deadline(const state& now) {
  if (!now.exists || now.closed || !now.connections.empty()) return std::nullopt;
  return now.last_seen + idle_max;
}

command aggregate::on_deadline(const state& now) {
  BERTH_ASSERT(deadline(now).has_value());
  return expire{};
}

}  // namespace berth::session
