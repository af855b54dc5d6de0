#include "infra/agent/program/input_table.hpp"

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth::agent {

input_table::verdict input_table::judge(const id_bytes& stream, std::uint64_t sequence) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) {
    return sequence == 1 && !evicted_.contains(stream) ? verdict::apply : verdict::unknown_stream;
  }
  const auto& entry = found->second;
  if (BERTH_MUTANT(input_applied_twice) && sequence == entry.applied) return verdict::apply;
  if (sequence <= entry.applied) return verdict::applied;
  if (sequence <= entry.accepted) return verdict::pending;
  return sequence == entry.accepted + 1 ? verdict::apply : verdict::gap;
}

void input_table::accepted(const id_bytes& stream, std::uint64_t sequence) {
  auto found = streams_.find(stream);
  if (found == streams_.end()) {
    evict();
    found = streams_.emplace(stream, entry{0, 0, by_use_.insert(by_use_.end(), stream)}).first;
  }
  BERTH_ASSERT(sequence == found->second.accepted + 1);
  found->second.accepted = sequence;
  by_use_.splice(by_use_.end(), by_use_, found->second.used);
}

void input_table::applied(const id_bytes& stream, std::uint64_t sequence) {
  const auto found = streams_.find(stream);
  BERTH_ASSERT(found != streams_.end() && sequence == found->second.applied + 1);
  found->second.applied = sequence;
}

std::uint64_t input_table::last_applied(const id_bytes& stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? 0 : found->second.applied;
}

void input_table::evict() {
  if (streams_.size() < streams_max) return;
  // Streams with input on its way to the PTY stay; there is always another, the window holds fewer
  // than streams_max.
  for (auto name = by_use_.begin(); name != by_use_.end(); ++name) {
    const auto found = streams_.find(*name);
    if (found->second.accepted != found->second.applied) continue;
    evicted_.insert(*name);
    evicted_order_.push_back(*name);
    streams_.erase(found);
    by_use_.erase(name);
    break;
  }
  if (evicted_order_.size() <= evicted_names_max) return;
  evicted_.erase(evicted_order_.front());
  evicted_order_.pop_front();
}

}  // namespace berth::agent
