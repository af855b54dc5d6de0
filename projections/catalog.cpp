#include "projections/catalog.hpp"

#include "events/account/aggregate.hpp"
#include "events/core/match.hpp"
#include "events/environment/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "projections/intervals.hpp"
#include "projections/keys.hpp"
#include "projections/state_rows.hpp"

namespace berth {
namespace {

constexpr std::string_view present = "1";  // the value of an index row

void index_environment(view& rows, const std::string& id, const environment::state& now) {
  const auto& account = now.account.value;
  const auto named = keys::join("environment-name", account, now.name, id);
  if (now.status == environment::status::deleted) {
    rows.erase(keys::join("environments", account, id));
    rows.erase(named);
    rows.put(keys::join("deleted", account, id), present);
  } else if (now.status == environment::status::creating) {
    rows.put(keys::join("environments", account, id), present);
    rows.put(named, present);
  }
}

void fold_environment(view& rows, const commit& happened) {
  using A = environment::aggregate;
  const auto& id = happened.body.stream.key;
  std::optional<environment::state> now;
  for_each_event<A>(happened, [&](const environment::event& event, stream_version) {
    if (!changes_environment(event)) return;
    if (!now) now = load_state<A>(rows, keys::join("environment", id));
    now = A::apply(std::move(*now), event);
    index_environment(rows, id, *now);
  });
  if (now) save_state<A>(rows, keys::join("environment", id), *now);
}

void fold_terminal(view& rows, const commit& happened) {
  using A = terminal::aggregate;
  const auto& id = happened.body.stream.key;
  auto now = load_state<A>(rows, keys::join("terminal", id));
  for_each_event<A>(happened, [&](const terminal::event& event, stream_version) {
    now = A::apply(std::move(now), event);
  });
  const auto by_environment = keys::join("terminals", now.environment.value, id);
  const auto by_account = keys::join("account-terminals", now.account.value, id);
  if (now.status == terminal::status::removed) {
    rows.erase(by_environment);
    rows.erase(by_account);
  } else {
    rows.put(by_environment, present);
    rows.put(by_account, present);
  }
  save_state<A>(rows, keys::join("terminal", id), now);
}

void fold_session(view& rows, const commit& happened) {
  using A = session::aggregate;
  const auto& id = happened.body.stream.key;
  auto now = load_state<A>(rows, keys::join("session", id));
  for_each_event<A>(happened, [&](const session::event& event, stream_version) {
    now = A::apply(std::move(now), event);
  });
  const auto by_account = keys::join("sessions", now.account.value, id);
  if (now.closed) {
    rows.erase(by_account);
  } else {
    rows.put(by_account, present);
  }
  save_state<A>(rows, keys::join("session", id), now);
}

// Names of accounts and ids of tokens are unique, by derivation. Were they not, the least account
// would have them, whichever is folded first.
void put_least(view& rows, const std::string& key, const std::string& account) {
  const auto known = rows.get(key);
  if (!known || account < *known) rows.put(key, account);
}

void fold_account_event(view& rows, const std::string& id, const account::event& event) {
  using A = account::aggregate;
  const auto change = [&](const std::string& key) {
    save_state<A>(rows, key, A::apply(load_state<A>(rows, key), event));
  };
  std::visit(
      match{
          [&](const account::created& e) {
            change(keys::join("account", id));
            put_least(rows, keys::join("account-name", e.name), id);
          },
          [&](const account::disabled&) { change(keys::join("account", id)); },
          [&](const account::token_issued& e) {
            change(keys::join("token", id, e.token.value));
            put_least(rows, keys::join("token-account", e.token.value), id);
          },
          [&](const account::token_revoked& e) { change(keys::join("token", id, e.token.value)); },
          [](const auto&) {},  // names: the environments' own streams say what exists
      },
      event);
}

class catalog : public projection {
 public:
  std::string_view name() const override { return catalog_name; }
  std::uint32_t version() const override { return 2; }

  void fold(view& rows, const commit& happened) const override {
    if (happened.body.events.empty()) return;
    const auto& stream = happened.body.stream;
    rows.put(keys::join("version", stream.text()), std::to_string(happened.body.last().value));
    switch (stream.kind) {
      case aggregate_kind::environment:
        return fold_environment(rows, happened);
      case aggregate_kind::terminal:
        return fold_terminal(rows, happened);
      case aggregate_kind::session:
        return fold_session(rows, happened);
      case aggregate_kind::account:
        return for_each_event<account::aggregate>(happened,
                                                  [&](const account::event& event, stream_version) {
                                                    fold_account_event(rows, stream.key, event);
                                                  });
      case aggregate_kind::host:
        return;
    }
  }
};

}  // namespace

std::unique_ptr<projection> make_catalog() {
  return std::make_unique<catalog>();
}

}  // namespace berth
