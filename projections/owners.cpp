#include "projections/owners.hpp"

#include "events/environment/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "projections/keys.hpp"
#include "projections/state_rows.hpp"

namespace berth {
namespace {

template <class A, class First>
account_id account_of_first(const commit& happened) {
  account_id account;
  for_each_event<A>(happened, [&](const typename A::event& event, stream_version) {
    if (const auto* first = std::get_if<First>(&event)) account = first->account;
  });
  return account;
}

account_id account_named_by(const commit& happened) {
  switch (happened.body.stream.kind) {
    case aggregate_kind::environment:
      return account_of_first<environment::aggregate, environment::created>(happened);
    case aggregate_kind::terminal:
      return account_of_first<terminal::aggregate, terminal::opened>(happened);
    case aggregate_kind::session:
      return account_of_first<session::aggregate, session::opened>(happened);
    case aggregate_kind::account:
    case aggregate_kind::host:
      break;
  }
  return {};
}

}  // namespace

account_id owner_of(view& rows, const commit& happened) {
  const auto& stream = happened.body.stream;
  if (stream.kind == aggregate_kind::account) return {stream.key};
  if (stream.kind == aggregate_kind::host) return {};
  const auto key = keys::join("owner", stream.text());
  if (happened.body.first.value > 1) return {rows.get(key).value_or("")};
  const auto account = account_named_by(happened);
  if (account) rows.put(key, account.value);
  return account;
}

}  // namespace berth
