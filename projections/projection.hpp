// A projection answers one question by folding every commit of the journal into rows. fold is pure:
// the same commits give the same rows, to the byte. It never skips and never refuses.
//
// Commits come in offset order within a partition, and in any order between partitions. A stream is
// of one partition; that two are of the same is an accident. So a row is folded from one stream, or
// in a way that does not depend on whose turn it is: a sum, the newest by the events' own time, the
// least.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "events/core/commit.hpp"
#include "projections/view_store.hpp"

namespace berth {

class projection {
 public:
  virtual ~projection() = default;
  virtual std::string_view name() const = 0;
  virtual std::uint32_t version() const = 0;  // a change means: rebuild
  virtual void fold(view& rows, const commit& happened) const = 0;
};

// Every projection of the product, in a fixed order.
const std::vector<std::unique_ptr<projection>>& all_projections();

}  // namespace berth
