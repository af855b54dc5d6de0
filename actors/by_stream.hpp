// For sets whose elements have a stream's name in them: hash and equality by it, looked up by it.
#pragma once

#include <functional>

#include "events/core/ids.hpp"

namespace berth::actors {

template <class Kept, const stream_id& (*name_of)(const Kept&)>
struct by_stream {
  using is_transparent = void;
  static const stream_id& of(const stream_id& stream) { return stream; }
  static const stream_id& of(const Kept& kept) { return name_of(kept); }
  std::size_t operator()(const auto& each) const { return std::hash<stream_id>{}(of(each)); }
  bool operator()(const auto& one, const auto& other) const { return of(one) == of(other); }
};

}  // namespace berth::actors
