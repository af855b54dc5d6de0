#include "projections/view_filler.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"

namespace berth {

journal_result<std::size_t> view_filler::advance(view_target& into, std::size_t limit,
                                                 std::uint64_t upto, kept how) {
  const position wanted{partition, into.checkpoint + 1};
  if (wanted.offset > upto) return std::size_t{0};
  limit = std::min<std::uint64_t>(limit, upto - into.checkpoint);
  const bool have = !read_.empty() && read_.front().at().offset <= wanted.offset &&
                    wanted.offset <= read_.back().at().offset;
  if (!have) {
    auto found = journal_.read(wanted, limit);
    if (!found) return found.error();
    read_ = std::move(*found);
  }
  if (read_.empty()) return std::size_t{0};
  BERTH_ASSERT(read_.front().at().offset <= wanted.offset);
  if (!into.rows) into.rows = how == kept::at_once ? views_.write(into.of) : views_.fill(into.of);
  if (into.checkpoint == 0) into.rows->put(version_key, std::to_string(into.fold->version()));
  auto checkpoint = into.checkpoint;
  std::size_t folded = 0;
  for (std::size_t i = wanted.offset - read_.front().at().offset;
       i < read_.size() && folded < limit; ++i) {
    BERTH_ASSERT(read_[i].at().offset == checkpoint + 1);
    into.fold->fold(*into.rows, read_[i]);
    ++checkpoint;
    ++folded;
  }
  if (auto written = into.rows->commit({partition, checkpoint}); !written) {
    into.rows.reset();  // what it holds was never written
    return written.error();
  }
  into.checkpoint = checkpoint;
  return folded;
}

}  // namespace berth
