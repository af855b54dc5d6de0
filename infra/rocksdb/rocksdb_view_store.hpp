// Views in state/: rows and checkpoints of a batch in one unsynced write. A power cut takes rows
// and checkpoints back together; the projector then folds on from the older ones. Any thread; one
// batch a view at a time.
#pragma once

#include "infra/rocksdb/state_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

class rocksdb_view_store : public view_store {
 public:
  explicit rocksdb_view_store(const state_store& state) : state_{state}, db_{state.db()} {}

  std::uint32_t live_generation(const std::string& name) const override;
  std::optional<position> checkpoint(const view_generation& of,
                                     std::uint32_t partition) const override;
  std::unique_ptr<view> read(const view_generation& of) const override;
  std::unique_ptr<view> snapshot(const view_generation& of) const override;
  std::unique_ptr<batch> write(const view_generation& of) override;
  journal_result<bool> commit_all(std::span<const batch_at> all) override;
  std::unique_ptr<batch> fill(const view_generation& of) override;  // view_fill.hpp
  journal_result<bool> swap_live(const std::string& name, std::uint32_t generation) override;
  void drop(const view_generation& of) override;
  void drop_others(const view_generation& than) override;

 private:
  const state_store& state_;
  rocksdb::DB& db_;
};

}  // namespace berth
