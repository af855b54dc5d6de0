// Folds commits of the journal into generations of views, each commit exactly once, those of a
// partition in offset order. Partitions that have something new take turns. Remembers what it read
// last, because all views usually want the same. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "events/core/journal.hpp"
#include "events/core/journal_cursor.hpp"
#include "projections/projection.hpp"
#include "projections/view_store.hpp"

namespace berth {

// One generation of one view, and up to where it is folded.
struct view_target {
  const projection* fold{};
  view_generation of;
  journal_cursor checkpoint{};                // what `rows` was told to commit last
  journal_cursor folded{};                    // in `rows` beyond it, until it is told
  std::uint32_t turn{};                       // the partition to begin with
  std::shared_ptr<view_store::batch> rows{};  // of the filler: knows what it read and wrote last
};

class view_filler {
 public:
  // Beside a view's own rows, whose keys are lower-case words: the version of the projection that
  // wrote them.
  static constexpr std::string_view version_key = "~version";

  // Both outlive it.
  view_filler(const journal& from, view_store& views) : journal_{from}, views_{views} {}

  enum class kept { at_once, by_keep };  // view_store::write or ::fill

  // Folds at most `limit` commits, none that `upto` has not reached, and commits; answers how many.
  // After an error what is filled `by_keep` is to be begun again.
  journal_result<std::size_t> advance(view_target& into, std::size_t limit,
                                      const journal_cursor& upto, kept how = kept::at_once);
  // The same for several that are kept at once, in one write, up to the journal's heads; answers
  // the most.
  journal_result<std::size_t> advance(std::span<view_target* const> all, std::size_t limit);
  void forget_read() { read_.clear(); }

 private:
  journal_result<std::size_t> take_turns(std::span<view_target* const> all, std::size_t limit,
                                         const journal_cursor& upto, kept how);
  journal_result<std::size_t> fold(view_target& into, position upto, std::size_t limit, kept how);
  journal_result<std::span<const commit>> read(position from, std::size_t limit);
  void forget_folded(view_target& of, kept how);

  const journal& journal_;
  view_store& views_;
  std::vector<std::vector<commit>> read_;  // by partition
};

}  // namespace berth
