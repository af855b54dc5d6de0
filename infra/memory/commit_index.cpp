#include "infra/memory/commit_index.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"

namespace berth {

indexed_commit indexed_commit::of(const commit& happened, std::size_t record_bytes) {
  return {happened.body.stream,
          {happened.body.last(), happened.envelope.sequence},
          {happened.body.by.account, happened.body.command},
          happened.envelope.time,
          record_bytes};
}

void commit_index::add(indexed_commit happened) {
  BERTH_ASSERT(commits_.empty() || happened.place.offset == commits_.back().place.offset + 1);
  auto& places = places_[happened.stream];
  BERTH_ASSERT(places.empty() || places.back().last <= happened.place.last);
  places.push_back(happened.place);
  commands_[happened.command] = happened.place.offset;
  bytes_ += happened.bytes;
  commits_.push_back(std::move(happened));
}

void commit_index::drop_oldest(std::size_t count) {
  for (; count > 0 && !commits_.empty(); --count) {
    const auto& oldest = commits_.front();
    const auto places = places_.find(oldest.stream);
    BERTH_ASSERT(places != places_.end() && places->second.front() == oldest.place);
    places->second.pop_front();
    if (places->second.empty()) places_.erase(places);
    const auto command = commands_.find(oldest.command);
    if (command != commands_.end() && command->second == oldest.place.offset)
      commands_.erase(command);
    bytes_ -= oldest.bytes;
    commits_.pop_front();
  }
}

void commit_index::drop_after(std::uint64_t last) {
  for (; !commits_.empty() && commits_.back().place.offset > last; commits_.pop_back()) {
    const auto& newest = commits_.back();
    const auto places = places_.find(newest.stream);
    BERTH_ASSERT(places != places_.end() && places->second.back() == newest.place);
    places->second.pop_back();
    if (places->second.empty()) places_.erase(places);
    commands_.erase(newest.command);
    bytes_ -= newest.bytes;
  }
}

void commit_index::clear() {
  *this = commit_index{};
}

void commit_index::places_after(const stream_id& stream, stream_version after, std::size_t limit,
                                std::vector<stream_place>& into) const {
  const auto found = places_.find(stream);
  if (found == places_.end()) return;
  const auto& places = found->second;
  auto at = std::upper_bound(
      places.begin(), places.end(), after,
      [](stream_version wanted, const stream_place& place) { return wanted < place.last; });
  for (; at != places.end() && into.size() < limit; ++at) into.push_back(*at);
}

std::optional<stream_place> commit_index::last_of(const stream_id& stream) const {
  const auto found = places_.find(stream);
  if (found == places_.end()) return std::nullopt;
  return found->second.back();
}

std::optional<std::uint64_t> commit_index::find(const command_key& command) const {
  const auto found = commands_.find(command);
  if (found == commands_.end()) return std::nullopt;
  return found->second;
}

std::vector<stream_id> commit_index::list(const std::string& after, std::size_t limit) const {
  std::vector<std::pair<std::string, stream_id>> named;
  for (const auto& [stream, places] : places_) {
    auto name = stream.text();
    if (name > after) named.emplace_back(std::move(name), stream);
  }
  std::sort(named.begin(), named.end());
  if (named.size() > limit) named.resize(limit);
  std::vector<stream_id> streams;
  streams.reserve(named.size());
  for (auto& [name, stream] : named) streams.push_back(std::move(stream));
  return streams;
}

}  // namespace berth
