#include "projections/view_filler.hpp"

#include <algorithm>
#include <optional>

#include "events/core/invariant.hpp"

namespace berth {

journal_result<std::size_t> view_filler::fold(view_target& into, std::size_t limit,
                                              std::uint64_t upto, kept how) {
  into.folded = into.checkpoint;
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
  std::size_t folded = 0;
  for (std::size_t i = wanted.offset - read_.front().at().offset;
       i < read_.size() && folded < limit; ++i) {
    BERTH_ASSERT(read_[i].at().offset == into.folded + 1);
    into.fold->fold(*into.rows, read_[i]);
    ++into.folded;
    ++folded;
  }
  return folded;
}

journal_result<std::size_t> view_filler::advance(view_target& into, std::size_t limit,
                                                 std::uint64_t upto, kept how) {
  const auto folded = fold(into, limit, upto, how);
  if (!folded || *folded == 0) return folded;
  if (auto written = into.rows->commit({partition, into.folded}); !written) {
    into.rows.reset();           // what it holds was never written
    if (how == kept::by_keep) {  // nor need what it had committed before
      views_.drop(into.of);
      into.checkpoint = 0;
    }
    return written.error();
  }
  into.checkpoint = into.folded;
  return folded;
}

journal_result<std::size_t> view_filler::advance(std::span<view_target* const> all,
                                                 std::size_t limit) {
  std::vector<view_store::batch_at> changed;
  std::optional<journal_error> failed;
  std::size_t most = 0;
  for (auto* into : all) {
    const auto folded = fold(*into, limit, ~0ULL, kept::at_once);
    if (!folded) {
      failed = folded.error();
      break;
    }
    most = std::max(most, *folded);
    if (*folded > 0) changed.push_back({into->rows.get(), {partition, into->folded}});
  }
  if (!failed && !changed.empty())
    if (auto written = views_.commit_all(changed); !written) failed = written.error();
  for (auto* into : all) {
    if (failed)
      into->rows.reset();  // what it holds was never written
    else
      into->checkpoint = into->folded;
  }
  if (failed) return *failed;
  return most;
}

}  // namespace berth
