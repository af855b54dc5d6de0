// What a host accepts about itself.
#include <algorithm>

#include "events/core/arguments.hpp"
#include "events/core/invariant.hpp"
#include "events/core/match.hpp"
#include "events/host/aggregate.hpp"

namespace berth::host {
namespace {

using events = std::vector<event>;
using answer = decision<event>;

answer decide_enlist(const state& now, const enlist& c, timestamp at) {
  if (auto no = refuse_id("boot", c.boot)) return *no;
  if (auto no = refuse_id("provider", c.provider)) return *no;
  if (now.boot == c.boot && now.provider == c.provider) return events{};
  return events{registered{c.boot, c.provider, at}};
}

answer decide_alive(const state& now, const record_alive& c, timestamp at) {
  if (now.boot.empty()) return reject(rejection_code::not_found, "the host is not enlisted");
  const auto until = std::min(c.until, at);  // Nobody is known to be alive in the future.
  if (until <= now.alive_until) return events{};
  return events{alive_seen{until, at}};
}

answer decide_cordon(const state& now, bool wanted, timestamp at) {
  if (now.boot.empty()) return reject(rejection_code::not_found, "the host is not enlisted");
  if (now.is_cordoned == wanted) return events{};
  return wanted ? events{cordoned{at}} : events{uncordoned{at}};
}

}  // namespace

decision<event> aggregate::decide(const state& now, const command& asked,
                                  const decide_context& context) {
  return std::visit(match{
                        [&](const enlist& c) { return decide_enlist(now, c, context.now); },
                        [&](const record_alive& c) { return decide_alive(now, c, context.now); },
                        [&](const cordon&) { return decide_cordon(now, true, context.now); },
                        [&](const uncordon&) { return decide_cordon(now, false, context.now); },
                    },
                    asked);
}

state aggregate::apply(state now, const event& happened) {
  std::visit(match{
                 [&](const registered& e) {
                   now.boot = e.boot;
                   now.provider = e.provider;
                   now.registered_at = e.at;
                 },
                 [&](const alive_seen& e) { now.alive_until = std::max(now.alive_until, e.until); },
                 [&](const cordoned&) { now.is_cordoned = true; },
                 [&](const uncordoned&) { now.is_cordoned = false; },
             },
             happened);
  return now;
}

// A host is never transient.
std::optional<timestamp> aggregate::deadline(const state&) {
  return std::nullopt;
}

command aggregate::on_deadline(const state&) {
  invariant_failed("a host has no deadline", __FILE__, __LINE__);
}

}  // namespace berth::host
