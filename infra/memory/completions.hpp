// The results of one group commit, sorted by listener: each gets one call, in append order (J3).
// Used by one thread: the journal's writer.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "events/core/journal.hpp"

namespace berth {

class completions {
 public:
  void add(std::shared_ptr<append_listener> listener, append_result result) {
    const auto [at, is_new] = group_of_.try_emplace(listener.get(), groups_.size());
    if (is_new) groups_.push_back({std::move(listener), {}});
    groups_[at->second].results.push_back(std::move(result));
  }

  bool empty() const { return groups_.empty(); }

  // Calls every listener once and forgets all.
  void deliver() {
    const auto ready = std::exchange(groups_, {});
    group_of_.clear();
    for (const auto& group : ready)
      if (group.listener) group.listener->appended(group.results);
  }

 private:
  struct group {
    std::shared_ptr<append_listener> listener;
    std::vector<append_result> results;
  };
  std::vector<group> groups_;
  std::unordered_map<append_listener*, std::size_t> group_of_;
};

}  // namespace berth
