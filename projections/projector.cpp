#include "projections/projector.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth {
namespace {

constexpr std::size_t scan_rows = 1000;

std::vector<const projection*> product_projections() {
  std::vector<const projection*> out;
  for (const auto& fold : all_projections()) out.push_back(fold.get());
  return out;
}

}  // namespace

projector::projector(const journal& from, view_store& views)
    : projector(from, views, product_projections()) {}

projector::projector(const journal& from, view_store& views, std::vector<const projection*> folds)
    : journal_{from}, views_{views}, filler_{from, views} {
  for (const auto* fold : folds) {
    entry of{fold, std::string{fold->name()}, {}, {}, false, {}, {}};
    const auto generation = views_.live_generation(of.name);
    const auto live = opened(*fold, of.name, generation);
    // A crash may have left a rebuild half done, or the generation before a swap; a power cut that
    // took swaps back, rows of the generations behind.
    views_.drop_others(live.of);
    const auto stored = views_.read(live.of)->get(view_filler::version_key);
    const bool usable =
        live.checkpoint.empty() ? !stored : stored == std::to_string(fold->version());
    if (usable) {
      of.live = live;
    } else {
      begin_rebuild(of);
    }
    entries_.push_back(std::move(of));
  }
}

view_target projector::opened(const projection& fold, const std::string& name,
                              std::uint32_t generation) const {
  view_target found{&fold, {name, generation}};
  const auto partitions = journal_.partitions();
  for (std::uint32_t partition = 0; partition < partitions; ++partition) {
    auto checkpoint = views_.checkpoint(found.of, partition);
    if (!checkpoint) continue;
    if (BERTH_MUTANT(last_commit_folded_again_at_start)) --checkpoint->offset;
    found.checkpoint.set(*checkpoint);
  }
  return found;
}

void projector::begin_rebuild(entry& of) {
  const auto generation = views_.live_generation(of.name) + 1;
  views_.drop({of.name, generation});
  of.next = view_target{of.fold, {of.name, generation}};
  of.lent = false;
}

journal_result<bool> projector::finish_rebuild(entry& of) {
  BERTH_ASSERT(of.next.has_value());
  if (!of.next->checkpoint.reaches(of.live ? of.live->checkpoint : heads_of(journal_)))
    return false;
  const auto old = views_.live_generation(of.name);
  of.swapped.reset();
  if (of.live && of.live->checkpoint == of.next->checkpoint)
    of.swapped = view_comparison{views_.snapshot(of.live->of), views_.snapshot(of.next->of)};
  if (auto swapped = views_.swap_live(of.name, of.next->of.generation); !swapped)
    return swapped.error();
  of.retired = old;
  of.live = std::exchange(of.next, std::nullopt);
  return true;
}

journal_result<std::size_t> projector::step(std::size_t limit) {
  BERTH_ASSERT(limit > 0);
  std::size_t most = 0;
  filler_.forget_read();
  for (auto& of : entries_) {
    if (const auto retired = std::exchange(of.retired, std::nullopt))
      views_.drop({of.name, *retired});
  }
  std::vector<view_target*> live;
  for (auto& of : entries_)
    if (of.live) live.push_back(&*of.live);
  const auto kept = filler_.advance(live, limit);
  if (!kept) return kept.error();
  most = *kept;
  for (auto& of : entries_) {
    if (!of.next || of.lent) continue;
    // What is rebuilt ends where the live one is, to be compared with it, and is faster than it.
    const auto folded = of.live ? filler_.advance(*of.next, 2 * limit, of.live->checkpoint)
                                : filler_.advance(*of.next, limit, heads_of(journal_));
    if (!folded) return folded.error();
    most = std::max(most, *folded);
  }
  for (auto& of : entries_) {
    if (!of.next || of.lent) continue;
    if (auto finished = finish_rebuild(of); !finished) return finished.error();
  }
  return most;
}

journal_result<bool> projector::catch_up() {
  for (;;) {
    const auto folded = step();
    if (!folded) return folded.error();
    if (*folded == 0) return true;
  }
}

bool projector::start_rebuild(const std::string& name) {
  bool found = false;
  for (auto& of : entries_) {
    if (!name.empty() && of.name != name) continue;
    if (const auto retired = std::exchange(of.retired, std::nullopt))
      views_.drop({of.name, *retired});
    begin_rebuild(of);
    found = true;
  }
  return found;
}

bool projector::rebuilding() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const entry& of) { return of.next.has_value() && !of.lent; });
}

std::vector<view_target> projector::lend_rebuild(const std::string& name) {
  std::vector<view_target> lent;
  if (!start_rebuild(name)) return lent;
  for (auto& of : entries_) {
    if (!of.next || (!name.empty() && of.name != name)) continue;
    of.lent = true;
    lent.push_back(*of.next);
  }
  return lent;
}

void projector::take_back(const std::vector<view_target>& filled) {
  for (auto& of : entries_) {
    for (const auto& each : filled) {
      if (!of.lent || each.of != of.next->of) continue;
      of.next = {each.fold, each.of, each.checkpoint};  // logged from here on
      of.lent = false;
    }
  }
}

std::optional<view_comparison> projector::take_comparison(const std::string& name) {
  for (auto& of : entries_)
    if (of.name == name) return std::exchange(of.swapped, std::nullopt);
  return std::nullopt;
}

std::optional<bool> view_comparison::compare_some() {
  const auto was = before->scan("", compared, scan_rows);
  if (was != after->scan("", compared, scan_rows)) return false;
  if (was.size() < scan_rows) return true;
  compared = was.back().first;
  return std::nullopt;
}

journal_result<bool> projector::rebuild(const std::string& name) {
  if (!start_rebuild(name)) {
    return journal_error{journal_errc::not_found, "there is no view named " + name, std::nullopt};
  }
  return catch_up();
}

journal_cursor projector::projected() const {
  std::optional<journal_cursor> least;
  for (const auto& of : entries_) {
    if (!of.live) return {};
    if (least)
      least->go_back_to(of.live->checkpoint);
    else
      least = of.live->checkpoint;
  }
  return least.value_or(journal_cursor{});
}

bool projector::caught_up() const {
  return projected().reaches(heads_of(journal_)) &&
         std::all_of(entries_.begin(), entries_.end(),
                     [](const entry& of) { return of.live.has_value(); });
}

std::vector<std::string> projector::names() const {
  std::vector<std::string> out;
  for (const auto& of : entries_) out.push_back(of.name);
  return out;
}

std::string projector::state_hash(const std::string& name) const {
  const auto rows = views_.read({name, views_.live_generation(name)});
  uuid hash;
  std::string after;
  for (;;) {
    const auto found = rows->scan("", after, scan_rows);
    for (const auto& [key, row] : found) hash = uuid::derived(hash.text(), key, row);
    if (found.size() < scan_rows) break;
    after = found.back().first;
  }
  return hash.text();
}

}  // namespace berth
