// Where views live: ordered rows by key, and a checkpoint of each partition written with them in
// one atomic batch. A projection sees only a `view` (its own rows); the store, the generations and
// the checkpoint are the projector's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "events/core/ids.hpp"
#include "events/core/journal_error.hpp"

namespace berth {

// The rows of one view. Writes of a fold are seen by later reads of the same fold.
class view {
 public:
  virtual ~view() = default;
  virtual std::optional<std::string> get(std::string_view key) const = 0;
  virtual void put(std::string_view key, std::string_view row) = 0;
  virtual void erase(std::string_view key) = 0;
  // put() of a row that is new, and that no fold looks at or changes: cheaper.
  virtual void append(std::string_view key, std::string_view row) { put(key, row); }
  // Rows with prefix and key > after (or all), in key order, at most limit.
  virtual std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                                std::string_view after,
                                                                std::size_t limit) const = 0;
};

// A view name and its generation: a rebuild fills a new generation beside the live one and then
// swaps.
struct view_generation {
  std::string name;
  std::uint32_t generation{};
  auto operator<=>(const view_generation&) const = default;
};

class view_store {
 public:
  virtual ~view_store() = default;
  // Live generation of a view; 1 for a new one.
  virtual std::uint32_t live_generation(const std::string& name) const = 0;
  virtual std::optional<position> checkpoint(const view_generation& of,
                                             std::uint32_t partition) const = 0;
  virtual std::unique_ptr<view> read(
      const view_generation& of) const = 0;  // read only: put and erase assert
  // The rows as they are now, whatever is written or dropped later; read only.
  virtual std::unique_ptr<view> snapshot(const view_generation& of) const = 0;
  // Batches over a generation, one after the other; commit() writes rows and checkpoints
  // atomically, unsynced (rebuildable). Checkpoints are of different partitions, at least one; what
  // is told of no partition stays as it was. Of one generation only one may be written by.
  class batch : public view {
   public:
    virtual journal_result<bool> commit(std::span<const position> checkpoints) = 0;
    journal_result<bool> commit(position only) { return commit(std::span{&only, 1}); }
    virtual journal_result<bool> keep() { return true; }  // of fill()
  };
  virtual std::unique_ptr<batch> write(const view_generation& of) = 0;
  // commit() of several batches of write(), of different generations: for a store with a log one
  // write, and a fraction of the work. After an error nothing is folded further: some may be kept.
  struct batch_at {
    batch* rows{};
    std::vector<position> checkpoints;
  };
  virtual journal_result<bool> commit_all(std::span<const batch_at> all) {
    for (const auto& each : all)
      if (auto done = each.rows->commit(each.checkpoints); !done) return done;
    return true;
  }
  // The same for a new generation that nobody reads yet: cheaper, and without checkpoints, to be
  // begun again after a crash, until the batch's keep() was called.
  virtual std::unique_ptr<batch> fill(const view_generation& of) { return write(of); }
  virtual journal_result<bool> swap_live(const std::string& name, std::uint32_t generation) = 0;
  // Deletes rows and checkpoints; what is written afterwards is never lost before this is.
  virtual void drop(const view_generation& of) = 0;
  virtual void drop_others(const view_generation& than) = 0;  // every generation of its name
};

}  // namespace berth
