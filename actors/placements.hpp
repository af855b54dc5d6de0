// Where environments were placed whose creation is not in the log yet: a retry of the same command
// must arrive at the same id. Bounded; what falls out is in the log by then. Thread-safe.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>

#include "actors/stream_history.hpp"

namespace berth::actors {

class placements {
 public:
  static constexpr std::size_t kept_max = 4'096;

  // The id chosen for the command, or the one `choose` gives now.
  template <class Choose>
  outcome<environment_id> find_or(const recorded_key& command, Choose choose) {
    const std::lock_guard lock{mutex_};
    if (const auto found = chosen_.find(command); found != chosen_.end()) return found->second;
    outcome<environment_id> made = choose();
    if (!made) return made;
    chosen_.emplace(command, *made);
    order_.push_back(command);
    if (order_.size() > kept_max) {
      chosen_.erase(order_.front());
      order_.pop_front();
    }
    return made;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<recorded_key, environment_id> chosen_;
  std::deque<recorded_key> order_;
};

}  // namespace berth::actors
