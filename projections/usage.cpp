#include "projections/usage.hpp"

#include "events/core/codec.hpp"
#include "events/terminal/aggregate.hpp"
#include "projections/intervals.hpp"
#include "projections/keys.hpp"
#include "projections/state_rows.hpp"
#include "schemas/views_generated.h"

namespace berth {
namespace {

void count(view& rows, const account_id& account, const environment_id& environment, timestamp at,
           usage_counts more) {
  const auto hour = std::chrono::floor<std::chrono::hours>(at);
  const auto key =
      keys::join("counts", account.value, keys::hex(timestamp{hour}), environment.value);
  auto counts = decode_counts(rows.get(key).value_or("")).value_or(usage_counts{});
  fb::views::CountsT t;
  t.execs = counts.execs + more.execs;
  t.terminals = counts.terminals + more.terminals;
  rows.put(key, codec::pack<fb::views::Counts>(t));
}

void fold_environment(view& rows, const commit& happened) {
  const environment_id id{happened.body.stream.key};
  track_intervals(rows, happened, [&](const interval& ended) {
    rows.append(keys::join("interval", ended.account.value, keys::hex(ended.to), id.value,
                           keys::hex(ended.last.value)),
                encode_interval(ended));
  });
  for_each_event<environment::aggregate>(
      happened, [&](const environment::event& event, stream_version) {
        if (const auto* created = std::get_if<environment::created>(&event)) {
          rows.put(keys::join("open", created->account.value, id.value), "1");
        } else if (const auto* asked = std::get_if<environment::exec_asked>(&event)) {
          count(rows, tracked_state(rows, id).account, id, asked->at, {1, 0});
        } else if (std::holds_alternative<environment::deleted>(event)) {
          rows.erase(keys::join("open", tracked_state(rows, id).account.value, id.value));
        }
      });
}

class usage : public projection {
 public:
  std::string_view name() const override { return usage_name; }
  std::uint32_t version() const override { return 1; }

  void fold(view& rows, const commit& happened) const override {
    if (happened.body.stream.kind == aggregate_kind::environment)
      return fold_environment(rows, happened);
    if (happened.body.stream.kind != aggregate_kind::terminal) return;
    for_each_event<terminal::aggregate>(
        happened, [&](const terminal::event& event, stream_version) {
          const auto* opened = std::get_if<terminal::opened>(&event);
          if (opened != nullptr)
            count(rows, opened->account, opened->environment, opened->at, {0, 1});
        });
  }
};

}  // namespace

std::optional<usage_counts> decode_counts(std::string_view row) {
  using result = decoded<usage_counts>;
  const auto read =
      codec::with_verified<fb::views::Counts>(row, [](const fb::views::Counts& root) -> result {
        return usage_counts{root.execs(), root.terminals()};
      });
  if (!read) return std::nullopt;
  return *read;
}

std::unique_ptr<projection> make_usage() {
  return std::make_unique<usage>();
}

}  // namespace berth
