// A reader's place in every partition of a journal: of each the offset up to which it has read.
//
//   0.42_3.7   offsets 1 to 42 of partition 0, 1 to 7 of partition 3, nothing of the others
//
// One cursor reaches another if it does so in every partition; of two cursors neither may. A value;
// any thread. It holds only what it was told of, so that a partition's number costs nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/journal.hpp"

namespace berth {

class journal_cursor {
 public:
  journal_cursor() = default;  // before everything
  // Behind that one, and before everything of other partitions.
  journal_cursor(position only) { set(only); }

  // 0 = nothing of that partition.
  std::uint64_t offset(std::uint32_t partition) const;
  // Offset 0 forgets the partition.
  void set(position to);
  bool reaches(position at) const { return offset(at.partition) >= at.offset; }
  bool reaches(const journal_cursor& other) const;
  // In every partition the further, or the nearer, of the two.
  void go_on_to(const journal_cursor& other);
  void go_back_to(const journal_cursor& other);

  bool empty() const { return places_.empty(); }
  // How many commits it has behind it: the sum of the offsets.
  std::uint64_t commits() const;
  // By partition, each once, none with offset 0. Not of a temporary: it would end before a loop
  // does.
  std::span<const position> places() const& { return places_; }
  std::span<const position> places() && = delete;
  bool operator==(const journal_cursor&) const = default;

 private:
  std::vector<position> places_;
};

// The last durable position of every partition.
journal_cursor heads_of(const journal& of);

}  // namespace berth
