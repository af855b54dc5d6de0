#include "events/account/aggregate.hpp"
#include "events/core/match.hpp"
#include "events/core/mutants.hpp"

namespace berth::account {
namespace {

constexpr std::size_t tokens_kept_max = 2 * tokens_max;

// Dead tokens are remembered so that revoking one again is no error, but not for ever: the oldest
// goes first.
void forget_dead_tokens(state& now, timestamp at) {
  while (now.tokens.size() > tokens_kept_max) {
    auto oldest = now.tokens.end();
    for (auto it = now.tokens.begin(); it != now.tokens.end(); ++it) {
      const auto& t = it->second;
      const bool dead = t.revoked || (t.expires_at != timestamp{} && t.expires_at <= at);
      if (dead && (oldest == now.tokens.end() || t.issued_at < oldest->second.issued_at))
        oldest = it;
    }
    if (oldest == now.tokens.end()) return;
    now.tokens.erase(oldest);
  }
}

}  // namespace

state aggregate::apply(state now, const event& happened) {
  std::visit(
      match{
          [&](const created& e) {
            now.exists = true;
            now.name = e.name;
            now.role = e.role;
            now.created_at = e.at;
          },
          [&](const token_issued& e) {
            now.tokens.insert_or_assign(e.token, token{e.label, e.hash, e.at, e.expires_at, false});
            forget_dead_tokens(now, e.at);
          },
          [&](const token_revoked& e) {
            if (BERTH_MUTANT(revoked_token_works)) return;
            if (const auto it = now.tokens.find(e.token); it != now.tokens.end())
              it->second.revoked = true;
          },
          [&](const environment_requested& e) {
            now.environments.insert_or_assign(
                e.environment, environment_entry{e.name, e.instance_type, e.template_name,
                                                 e.price_list, e.correlation, false, e.at});
          },
          [&](const environment_confirmed& e) {
            const auto it = now.environments.find(e.environment);
            if (it != now.environments.end()) it->second.confirmed = true;
          },
          [&](const name_released& e) { now.environments.erase(e.environment); },
          [&](const disabled&) { now.disabled = true; },
      },
      happened);
  return now;
}

}  // namespace berth::account
