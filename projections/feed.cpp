#include "projections/feed.hpp"

#include "projections/keys.hpp"
#include "projections/owners.hpp"

namespace berth {
namespace {

class feed : public projection {
 public:
  std::string_view name() const override { return feed_name; }
  std::uint32_t version() const override { return 2; }

  void fold(view& rows, const commit& happened) const override {
    if (happened.body.events.empty()) return;
    const auto owner = owner_of(rows, happened);
    if (!owner) return;
    rows.append(keys::join("account", owner.value, keys::of(happened.at())),
                happened.body.stream.text());
  }
};

}  // namespace

std::unique_ptr<projection> make_feed() {
  return std::make_unique<feed>();
}

}  // namespace berth
