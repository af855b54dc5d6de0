#include "projections/projector.hpp"

#include <algorithm>
#include <array>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth {
namespace {

// Beside a view's own rows, whose keys are lower-case words: the version of the projection that
// wrote them.
constexpr std::string_view version_key = "~version";

std::vector<const projection*> product_projections() {
  std::vector<const projection*> out;
  for (const auto& fold : all_projections()) out.push_back(fold.get());
  return out;
}

}  // namespace

projector::projector(const journal& from, view_store& views)
    : projector(from, views, product_projections()) {}

projector::projector(const journal& from, view_store& views, std::vector<const projection*> folds)
    : journal_{from}, views_{views} {
  for (const auto* fold : folds) {
    entry of{fold, std::string{fold->name()}, {}, {}, false, {}};
    const auto live = opened(of.name, views_.live_generation(of.name));
    // A crash may have left a rebuild half done, or the generation before a swap.
    views_.drop({of.name, live.generation + 1});
    if (live.generation > 1) views_.drop({of.name, live.generation - 1});
    const auto stored = views_.read({of.name, live.generation})->get(version_key);
    const bool usable = live.checkpoint == 0 ? !stored : stored == std::to_string(fold->version());
    if (usable) {
      of.live = live;
    } else {
      begin_rebuild(of);
    }
    entries_.push_back(std::move(of));
  }
}

projector::target projector::opened(const std::string& name, std::uint32_t generation) const {
  const auto checkpoint = views_.checkpoint({name, generation}, partition);
  if (BERTH_MUTANT(last_commit_folded_again_at_start) && checkpoint)
    return {generation, checkpoint->offset - 1};
  return {generation, checkpoint ? checkpoint->offset : 0};
}

void projector::begin_rebuild(entry& of) {
  const auto generation = views_.live_generation(of.name) + 1;
  if (of.next) views_.drop({of.name, generation});
  of.next = target{generation, 0};
}

journal_result<std::size_t> projector::advance(entry& of, target& into, std::size_t limit,
                                               std::uint64_t upto) {
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
  const auto batch = views_.write({of.name, into.generation});
  if (into.checkpoint == 0) batch->put(version_key, std::to_string(of.fold->version()));
  auto checkpoint = into.checkpoint;
  std::size_t folded = 0;
  for (std::size_t i = wanted.offset - read_.front().at().offset;
       i < read_.size() && folded < limit; ++i) {
    BERTH_ASSERT(read_[i].at().offset == checkpoint + 1);
    of.fold->fold(*batch, read_[i]);
    ++checkpoint;
    ++folded;
  }
  if (auto written = batch->commit({partition, checkpoint}); !written) return written.error();
  into.checkpoint = checkpoint;
  return folded;
}

journal_result<bool> projector::finish_rebuild(entry& of) {
  BERTH_ASSERT(of.next.has_value());
  const auto reached = of.live ? of.live->checkpoint : journal_.head(partition).offset;
  if (of.next->checkpoint < reached) return false;
  const auto old = views_.live_generation(of.name);
  of.identical = of.live && of.live->checkpoint == of.next->checkpoint &&
                 state_hash(of.name, of.next->generation) == state_hash(of.name, old);
  if (auto swapped = views_.swap_live(of.name, of.next->generation); !swapped)
    return swapped.error();
  of.retired = old;
  of.live = std::exchange(of.next, std::nullopt);
  return true;
}

journal_result<std::size_t> projector::step(std::size_t limit) {
  BERTH_ASSERT(limit > 0);
  std::size_t most = 0;
  read_.clear();
  for (auto& of : entries_) {
    if (const auto retired = std::exchange(of.retired, std::nullopt))
      views_.drop({of.name, *retired});
  }
  for (const auto which : std::array{&entry::live, &entry::next}) {
    for (auto& of : entries_) {
      auto& into = of.*which;
      if (!into) continue;
      // What is rebuilt ends where the live one is, to be compared with it.
      const bool is_compared = which == &entry::next && of.live;
      const auto folded = advance(of, *into, limit, is_compared ? of.live->checkpoint : ~0ULL);
      if (!folded) return folded.error();
      most = std::max(most, *folded);
    }
  }
  for (auto& of : entries_) {
    if (!of.next) continue;
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
                     [](const entry& of) { return of.next.has_value(); });
}

bool projector::rebuilt_identical(const std::string& name) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const entry& of) { return of.name == name && of.identical; });
}

journal_result<bool> projector::rebuild(const std::string& name) {
  if (!start_rebuild(name)) {
    return journal_error{journal_errc::not_found, "there is no view named " + name, std::nullopt};
  }
  return catch_up();
}

position projector::projected() const {
  position least{partition, ~std::uint64_t{0}};
  for (const auto& of : entries_) {
    least.offset = std::min(least.offset, of.live ? of.live->checkpoint : 0);
  }
  return entries_.empty() ? position{} : least;
}

bool projector::caught_up() const {
  const auto head = journal_.head(partition);
  return projected().offset >= head.offset &&
         std::all_of(entries_.begin(), entries_.end(),
                     [](const entry& of) { return of.live.has_value(); });
}

std::vector<std::string> projector::names() const {
  std::vector<std::string> out;
  for (const auto& of : entries_) out.push_back(of.name);
  return out;
}

std::string projector::state_hash(const std::string& name,
                                  std::optional<std::uint32_t> generation) const {
  constexpr std::size_t scan_rows = 1000;
  const auto rows = views_.read({name, generation.value_or(views_.live_generation(name))});
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
