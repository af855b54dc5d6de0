#include <algorithm>

#include "events/core/match.hpp"
#include "events/session/aggregate.hpp"

namespace berth::session {

state aggregate::apply(state now, const event& happened) {
  const auto seen = [&](timestamp at) { now.last_seen = std::max(now.last_seen, at); };
  std::visit(match{
                 [&](const opened& e) {
                   now.exists = true;
                   now.account = e.account;
                   now.token = e.token;
                   now.client = e.client;
                   now.input_stream = e.input_stream;
                   now.opened_at = e.at;
                   seen(e.at);
                 },
                 [&](const attached& e) {
                   now.connections.insert(e.connection);
                   seen(e.at);
                 },
                 [&](const detached& e) {
                   now.connections.erase(e.connection);
                   seen(e.at);
                 },
                 [&](const handed_over& e) {
                   now.client = e.client;
                   now.input_stream = e.input_stream;
                   seen(e.at);
                 },
                 [&](const closed& e) {
                   now.closed = true;
                   now.close_reason = e.reason;
                   now.connections.clear();
                 },
             },
             happened);
  return now;
}

}  // namespace berth::session
