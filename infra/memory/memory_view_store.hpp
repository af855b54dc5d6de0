// The reference view store. Views outlive a simulated crash of the process, as unsynced writes of a
// killed process do; power_cut() takes them back to an earlier commit, as a lost page cache does.
// Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "projections/view_store.hpp"

namespace berth {

class memory_view_store : public view_store {
 public:
  memory_view_store();
  ~memory_view_store() override;

  std::uint32_t live_generation(const std::string& name) const override;
  std::optional<position> checkpoint(const view_generation& of,
                                     std::uint32_t partition) const override;
  std::unique_ptr<view> read(const view_generation& of) const override;
  std::unique_ptr<view> snapshot(const view_generation& of) const override;
  std::unique_ptr<batch> write(const view_generation& of) override;
  journal_result<bool> swap_live(const std::string& name, std::uint32_t generation) override;
  void drop(const view_generation& of) override;
  void drop_others(const view_generation& than) override;

  // Everything written so far survives power cuts from now on.
  void sync();
  // Back to the last sync().
  void power_cut();

  struct contents;

 private:
  std::shared_ptr<contents> now_;
};

}  // namespace berth
