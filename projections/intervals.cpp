#include "projections/intervals.hpp"

#include <algorithm>

#include "events/core/codec.hpp"
#include "events/core/match.hpp"
#include "events/core/mutants.hpp"
#include "projections/interval_row.hpp"
#include "projections/keys.hpp"
#include "projections/state_rows.hpp"

namespace berth {
namespace {

using environment::status;
using A = environment::aggregate;

std::string state_key(const std::string& id) {
  return keys::join("state", id);
}
std::string since_key(const std::string& id) {
  return keys::join("since", id);
}

bool has_intervals(status s) {
  return s != status::absent && s != status::deleted;
}

interval interval_of(const std::string& id, const environment::state& during, timestamp to,
                     stream_version first, stream_version last) {
  return {{id},
          during.account,
          during.name,
          during.instance_type,
          during.price_list,
          during.price_pico_usd_per_second,
          during.status,
          during.changed_at,
          to,
          first,
          last};
}

timestamp end_of(const environment::event& event, const environment::state& before, timestamp at) {
  const auto* lost = std::get_if<environment::lost>(&event);
  if (lost == nullptr || before.status != status::running) return at;
  if (BERTH_MUTANT(loss_billed_until_noticed)) return at;
  return std::clamp(lost->alive_until, before.changed_at, std::max(at, before.changed_at));
}

}  // namespace

bool changes_environment(const environment::event& event) {
  return std::visit(match{
                        [](const environment::activity_recorded&) { return false; },
                        [](const environment::exec_asked&) { return false; },
                        [](const environment::exec_finished&) { return false; },
                        [](const environment::exec_outcome_unknown&) { return false; },
                        [](const auto&) { return true; },
                    },
                    event);
}

void track_intervals(view& rows, const commit& happened,
                     const std::function<void(const interval&)>& ended) {
  const auto& id = happened.body.stream.key;
  environment::state now;
  stream_version since;
  bool loaded = false;
  bool changed = false;
  for_each_event<A>(happened, [&](const environment::event& event, stream_version version) {
    if (!changes_environment(event)) return;
    if (!std::exchange(loaded, true)) {
      now = load_state<A>(rows, state_key(id));
      since = {keys::parse_hex(rows.get(since_key(id)).value_or("0"))};
    }
    const auto before = now;
    now = A::apply(std::move(now), event);
    if (now.status == before.status && now.changed_at == before.changed_at) return;
    changed = true;
    const auto told =
        interval_of(id, before, end_of(event, before, now.changed_at), since, version);
    if (has_intervals(before.status) && told.from < told.to) ended(told);
    since = version;
  });
  if (!changed) return;
  save_state<A>(rows, state_key(id), now);
  rows.put(since_key(id), keys::hex(since.value));
}

std::optional<interval> open_interval(const view& rows, const environment_id& environment,
                                      timestamp now) {
  const auto state = tracked_state(rows, environment);
  if (!has_intervals(state.status) || now <= state.changed_at) return std::nullopt;
  const auto since =
      stream_version{keys::parse_hex(rows.get(since_key(environment.value)).value_or("0"))};
  return interval_of(environment.value, state, now, since, since);
}

environment::state tracked_state(const view& rows, const environment_id& environment) {
  return load_state<A>(rows, state_key(environment.value));
}

fb::views::IntervalT to_table(const interval& of) {
  fb::views::IntervalT t;
  t.environment = of.environment.value;
  t.account = of.account.value;
  t.name = of.name;
  t.instance_type = of.instance_type;
  t.price_list = of.price_list;
  t.price_pico_usd_per_second = of.price_pico_usd_per_second;
  t.status = static_cast<std::uint8_t>(of.status);
  t.from_us = to_us(of.from);
  t.to_us = to_us(of.to);
  t.first_version = of.first.value;
  t.last_version = of.last.value;
  return t;
}

interval from_table(const fb::views::IntervalT& t) {
  return {{t.environment},
          {t.account},
          t.name,
          t.instance_type,
          t.price_list,
          t.price_pico_usd_per_second,
          static_cast<status>(t.status),
          from_us(t.from_us),
          from_us(t.to_us),
          {t.first_version},
          {t.last_version}};
}

std::string encode_interval(const interval& of) {
  return codec::pack<fb::views::Interval>(to_table(of));
}

std::optional<interval> decode_interval(std::string_view row) {
  using result = decoded<interval>;
  const auto read =
      codec::with_verified<fb::views::Interval>(row, [](const fb::views::Interval& root) -> result {
        fb::views::IntervalT t;
        root.UnPackTo(&t);
        return from_table(t);
      });
  if (!read) return std::nullopt;
  return *read;
}

}  // namespace berth
