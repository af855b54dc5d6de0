#include "projections/view_filler.hpp"

#include <algorithm>
#include <optional>

#include "events/core/invariant.hpp"

namespace berth {
namespace {

// Where what is folded is further than what is committed.
std::vector<position> gone_on(const view_target& of) {
  std::vector<position> places;
  for (const auto& at : of.folded.places())
    if (!of.checkpoint.reaches(at)) places.push_back(at);
  return places;
}

// Up to where each partition is to be folded that is behind in one of them; first the one whose
// turn it is.
std::vector<position> behind(std::span<view_target* const> all, const journal_cursor& upto) {
  std::vector<position> found;
  for (const auto& at : upto.places()) {
    if (std::any_of(all.begin(), all.end(),
                    [&](const view_target* each) { return !each->checkpoint.reaches(at); }))
      found.push_back(at);
  }
  const auto first = std::find_if(found.begin(), found.end(), [&](const position& at) {
    return at.partition >= all.front()->turn;
  });
  std::rotate(found.begin(), first, found.end());
  return found;
}

}  // namespace

// The commits from there on, of a stretch that was read before if it holds the first.
journal_result<std::span<const commit>> view_filler::read(position from, std::size_t limit) {
  if (read_.size() <= from.partition) read_.resize(from.partition + 1);
  auto& known = read_[from.partition];
  const bool have = !known.empty() && known.front().at().offset <= from.offset &&
                    from.offset <= known.back().at().offset;
  if (!have) {
    auto found = journal_.read(from, limit);
    if (!found) return found.error();
    known = std::move(*found);
  }
  if (known.empty()) return std::span<const commit>{};
  BERTH_ASSERT(known.front().at().offset <= from.offset);
  return std::span{known}.subspan(from.offset - known.front().at().offset);
}

// At most `limit` commits of one partition.
journal_result<std::size_t> view_filler::fold(view_target& into, position upto, std::size_t limit,
                                              kept how) {
  auto at = position{upto.partition, into.folded.offset(upto.partition)};
  if (at.offset >= upto.offset || limit == 0) return std::size_t{0};
  limit = std::min<std::uint64_t>(limit, upto.offset - at.offset);
  const auto commits = read({at.partition, at.offset + 1}, limit);
  if (!commits) return commits.error();
  if (commits->empty()) return std::size_t{0};
  if (!into.rows) into.rows = how == kept::at_once ? views_.write(into.of) : views_.fill(into.of);
  if (into.folded.empty()) into.rows->put(version_key, std::to_string(into.fold->version()));
  const auto next = commits->first(std::min(limit, commits->size()));
  for (const auto& happened : next) {
    ++at.offset;
    BERTH_ASSERT(happened.at() == at);
    into.fold->fold(*into.rows, happened);
  }
  into.folded.set(at);
  return next.size();
}

// First everybody gets a fair share of the limit; what is left of it then goes to who has more.
journal_result<std::size_t> view_filler::take_turns(std::span<view_target* const> all,
                                                    std::size_t limit, const journal_cursor& upto,
                                                    kept how) {
  BERTH_ASSERT(limit > 0);
  for (auto* into : all) into->folded = into->checkpoint;
  if (all.empty()) return std::size_t{0};
  const auto partitions = behind(all, upto);
  if (partitions.empty()) return std::size_t{0};
  const auto share = std::max<std::size_t>(1, limit / partitions.size());
  std::vector<std::size_t> left(all.size(), limit);
  for (int round = 0; round < (partitions.size() > 1 ? 2 : 1); ++round) {
    for (const auto& at : partitions) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        const auto most = round == 0 ? std::min(share, left[i]) : left[i];
        const auto folded = fold(*all[i], at, most, how);
        if (!folded) return folded.error();
        left[i] -= *folded;
      }
    }
  }
  const auto last = partitions[std::min(limit, partitions.size()) - 1];
  all.front()->turn = last.partition + 1;
  return limit - *std::min_element(left.begin(), left.end());
}

// What `rows` holds was never written; nor need be what was filled before.
void view_filler::forget_folded(view_target& of, kept how) {
  of.rows.reset();
  if (how == kept::at_once) return;
  views_.drop(of.of);
  of.checkpoint = {};
}

journal_result<std::size_t> view_filler::advance(view_target& into, std::size_t limit,
                                                 const journal_cursor& upto, kept how) {
  auto* const alone = &into;
  auto folded = take_turns({&alone, 1}, limit, upto, how);
  if (folded && *folded == 0) return folded;
  if (folded) {
    if (auto written = into.rows->commit(gone_on(into)); !written) folded = written.error();
  }
  if (folded)
    into.checkpoint = into.folded;
  else
    forget_folded(into, how);
  return folded;
}

journal_result<std::size_t> view_filler::advance(std::span<view_target* const> all,
                                                 std::size_t limit) {
  auto most = take_turns(all, limit, heads_of(journal_), kept::at_once);
  std::vector<view_store::batch_at> changed;
  for (auto* into : all)
    if (auto places = gone_on(*into); !places.empty())
      changed.push_back({into->rows.get(), std::move(places)});
  if (most && !changed.empty())
    if (auto written = views_.commit_all(changed); !written) most = written.error();
  for (auto* into : all) {
    if (most)
      into->checkpoint = into->folded;
    else
      forget_folded(*into, kept::at_once);
  }
  return most;
}

}  // namespace berth
