#include "projections/projection.hpp"

#include "projections/activity.hpp"
#include "projections/audit.hpp"
#include "projections/billing.hpp"
#include "projections/catalog.hpp"
#include "projections/feed.hpp"
#include "projections/usage.hpp"

namespace berth {

const std::vector<std::unique_ptr<projection>>& all_projections() {
  static const auto all = [] {
    std::vector<std::unique_ptr<projection>> out;
    out.push_back(make_catalog());
    out.push_back(make_usage());
    out.push_back(make_billing());
    out.push_back(make_audit());
    out.push_back(make_feed());
    out.push_back(make_activity());
    return out;
  }();
  return all;
}

}  // namespace berth
