#include "projections/billing.hpp"

#include "events/core/codec.hpp"
#include "events/core/invariant.hpp"
#include "projections/interval_row.hpp"
#include "projections/keys.hpp"
#include "projections/money.hpp"

namespace berth {
namespace {

std::string encode_line(const bill_line& line) {
  fb::views::BillLineT t;
  t.interval = std::make_unique<fb::views::IntervalT>(to_table(line.what));
  t.amount_pico_usd = line.amount_pico_usd;
  t.amount_micro_usd = line.amount_micro_usd;
  t.overflowed = line.overflowed;
  return codec::pack<fb::views::BillLine>(t);
}

class billing : public projection {
 public:
  std::string_view name() const override { return billing_name; }
  std::uint32_t version() const override { return 1; }

  void fold(view& rows, const commit& happened) const override {
    if (happened.body.stream.kind != aggregate_kind::environment) return;
    track_intervals(rows, happened, [&](const interval& ended) {
      if (!ended.billed()) return;
      rows.append(keys::join("line", ended.account.value, keys::hex(ended.to),
                             ended.environment.value, keys::hex(ended.last.value)),
                  encode_line(line_of(ended)));
    });
  }
};

}  // namespace

bill_line line_of(const interval& running) {
  BERTH_ASSERT(running.billed());
  const auto amount = amount_pico_usd(running.price_pico_usd_per_second, running.duration());
  if (!amount) return {running, 0, 0, true};
  return {running, *amount, round_to_micro_usd(*amount), false};
}

std::optional<bill_line> decode_line(std::string_view row) {
  using result = decoded<bill_line>;
  const auto read = codec::with_verified<
      fb::views::BillLine>(row, [](const fb::views::BillLine& root) -> result {
    fb::views::BillLineT t;
    root.UnPackTo(&t);
    if (!t.interval) return codec::malformed("a bill line without its interval");
    return bill_line{from_table(*t.interval), t.amount_pico_usd, t.amount_micro_usd, t.overflowed};
  });
  if (!read) return std::nullopt;
  return *read;
}

std::unique_ptr<projection> make_billing() {
  return std::make_unique<billing>();
}

}  // namespace berth
