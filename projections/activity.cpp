#include "projections/activity.hpp"

#include <tuple>

#include "events/core/codec.hpp"
#include "events/core/match.hpp"
#include "events/environment/aggregate.hpp"
#include "events/terminal/aggregate.hpp"
#include "projections/keys.hpp"
#include "projections/state_rows.hpp"
#include "schemas/views_generated.h"

namespace berth {
namespace {

// The newest stays, whichever of the environment's and its terminals' streams is folded first.
void record(view& rows, const std::string& environment, timestamp at, const std::string& kind) {
  const auto key = keys::join("environment", environment);
  const auto known = rows.get(key);
  const auto last = known ? decode_activity(*known) : std::nullopt;
  if (last && std::tie(last->at, last->kind) >= std::tie(at, kind)) return;
  fb::views::ActivityT t;
  t.at_us = to_us(at);
  t.kind = kind;
  rows.put(key, codec::pack<fb::views::Activity>(t));
}

class activity : public projection {
 public:
  std::string_view name() const override { return activity_name; }
  std::uint32_t version() const override { return 2; }

  void fold(view& rows, const commit& happened) const override {
    const auto& stream = happened.body.stream;
    if (stream.kind == aggregate_kind::environment) {
      for_each_event<environment::aggregate>(happened, [&](const environment::event& event,
                                                           stream_version) {
        std::visit(
            match{
                [&](const environment::started& e) { record(rows, stream.key, e.at, "started"); },
                [&](const environment::exec_asked& e) { record(rows, stream.key, e.at, "exec"); },
                [&](const environment::activity_recorded& e) {
                  record(rows, stream.key, e.at, e.kind);
                },
                [](const auto&) {},
            },
            event);
      });
    } else if (stream.kind == aggregate_kind::terminal) {
      for_each_event<terminal::aggregate>(
          happened, [&](const terminal::event& event, stream_version) {
            const auto* opened = std::get_if<terminal::opened>(&event);
            if (opened != nullptr) record(rows, opened->environment.value, opened->at, "terminal");
          });
    }
  }
};

}  // namespace

std::optional<activity_row> decode_activity(std::string_view row) {
  using result = decoded<activity_row>;
  const auto read = codec::with_verified<
      fb::views::Activity>(row, [](const fb::views::Activity& root) -> result {
    return activity_row{from_us(root.at_us()), root.kind() ? root.kind()->str() : std::string{}};
  });
  if (!read) return std::nullopt;
  return *read;
}

std::unique_ptr<projection> make_activity() {
  return std::make_unique<activity>();
}

}  // namespace berth
