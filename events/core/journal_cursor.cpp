#include "events/core/journal_cursor.hpp"

#include <algorithm>

namespace berth {
namespace {

auto place_of(auto& places, std::uint32_t partition) {
  return std::lower_bound(
      places.begin(), places.end(), partition,
      [](const position& each, std::uint32_t wanted) { return each.partition < wanted; });
}

}  // namespace

std::uint64_t journal_cursor::offset(std::uint32_t partition) const {
  const auto at = place_of(places_, partition);
  return at != places_.end() && at->partition == partition ? at->offset : 0;
}

void journal_cursor::set(position to) {
  const auto at = place_of(places_, to.partition);
  const bool is_known = at != places_.end() && at->partition == to.partition;
  if (to.offset == 0) {
    if (is_known) places_.erase(at);
  } else if (is_known) {
    at->offset = to.offset;
  } else {
    places_.insert(at, to);
  }
}

bool journal_cursor::reaches(const journal_cursor& other) const {
  return std::all_of(other.places_.begin(), other.places_.end(),
                     [this](const position& at) { return reaches(at); });
}

void journal_cursor::go_on_to(const journal_cursor& other) {
  for (const auto& at : other.places_)
    if (!reaches(at)) set(at);
}

void journal_cursor::go_back_to(const journal_cursor& other) {
  for (auto& at : places_) at.offset = std::min(at.offset, other.offset(at.partition));
  std::erase_if(places_, [](const position& at) { return at.offset == 0; });
}

std::uint64_t journal_cursor::commits() const {
  std::uint64_t sum = 0;
  for (const auto& at : places_) sum += at.offset;
  return sum;
}

journal_cursor heads_of(const journal& of) {
  journal_cursor heads;
  const auto partitions = of.partitions();
  for (std::uint32_t partition = 0; partition < partitions; ++partition)
    heads.set(of.head(partition));
  return heads;
}

}  // namespace berth
