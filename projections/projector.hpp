// Keeps every view up to date with the journal, and rebuilds views beside the live ones.
//
//   partition 0   1 2 3 4 5 6 7 8 9
//   catalog       live generation 1 |---------> checkpoint 7
//                 generation 2 |--> 3       a rebuild: read by nobody; swapped in when it reaches
//                                           the live one, in every partition
//
// Rules
//  V1  Each commit is folded into each generation exactly once, those of a partition in offset
//      order: offset == checkpoint of that partition + 1, asserted. Partitions take turns, in no
//      promised order: rows are the same whatever it was (projection.hpp).
//  V2  Rows and checkpoints of a batch are one atomic write; a crash between batches repeats
//  nothing
//      and skips nothing.
//  V3  A view whose stored version is not this build's is never folded further: it is rebuilt and
//      swapped; until then caught_up() is false.
//  V4  Folds have no side effects, so a rebuild repeats none.
// Pure over its ports: no thread, no clock. One thread calls it (berthd's projector thread,
// berth-replay, tests).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/core/journal.hpp"
#include "projections/projection.hpp"
#include "projections/view_filler.hpp"
#include "projections/view_store.hpp"

namespace berth {

// What a rebuild gave and what it replaced, both as they were when they were swapped.
struct view_comparison {
  std::unique_ptr<view> before;
  std::unique_ptr<view> after;
  std::string compared{};  // the key up to which the rows are the same
  // Compares the next thousand rows: the same in all, different, or nothing = there are more.
  std::optional<bool> compare_some();
};

class projector {
 public:
  static constexpr std::size_t batch_commits_max = 1000;  // folded and written at once

  // `folds` defaults to the product's. Both ports outlive the projector.
  projector(const journal& from, view_store& views);
  projector(const journal& from, view_store& views, std::vector<const projection*> folds);

  // Folds at most `limit` further commits into every view, live or being rebuilt, and swaps
  // rebuilds that are complete. Answers how many commits the furthest behind took; 0 = nothing to
  // do.
  journal_result<std::size_t> step(std::size_t limit = batch_commits_max);
  // step() until there is nothing to do.
  journal_result<bool> catch_up();

  // Begins to fill a new generation of a view, or of all if the name is empty; step() does the
  // work. False: no such view. A rebuild already running begins again.
  bool start_rebuild(const std::string& name = {});
  // Whether step() has one to work on.
  bool rebuilding() const;
  // The same, filled by somebody else's view_filler, on another thread, while step() leaves it
  // alone; what was filled is taken back, and step() goes on from there.
  std::vector<view_target> lend_rebuild(const std::string& name = {});
  void take_back(const std::vector<view_target>& filled);
  // Of the last swap of a view, once; nothing if the two were not at the same checkpoints.
  std::optional<view_comparison> take_comparison(const std::string& name);
  // start_rebuild and catch_up.
  journal_result<bool> rebuild(const std::string& name = {});

  // What every live view has folded, of each partition; read-your-writes waits for it.
  journal_cursor projected() const;
  bool caught_up() const;
  std::vector<std::string> names() const;

  // Over every row of a view's live generation, in order of key: equal rows, equal hash.
  std::string state_hash(const std::string& name) const;

 private:
  struct entry {
    const projection* fold{};
    std::string name;
    std::optional<view_target> live;  // nothing: stored by another version, not to be folded
    std::optional<view_target> next;  // the rebuild
    bool lent{};                      // the rebuild, to another thread
    std::optional<view_comparison> swapped;
    std::optional<std::uint32_t>
        retired;  // dropped one step after its swap: a query may still read it
  };

  view_target opened(const projection& fold, const std::string& name,
                     std::uint32_t generation) const;
  void begin_rebuild(entry& of);
  journal_result<bool> finish_rebuild(entry& of);

  const journal& journal_;
  view_store& views_;
  view_filler filler_;
  std::vector<entry> entries_;
};

}  // namespace berth
