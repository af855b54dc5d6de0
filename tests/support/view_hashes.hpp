// What a projector's views hold, a hash a view by name: equal rows, equal hashes.
#pragma once

#include <map>
#include <string>

#include <rapidcheck.h>

#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"

namespace berth::test {

inline std::map<std::string, std::string> hashes(const projector& of) {
  std::map<std::string, std::string> out;
  for (const auto& name : of.names()) out[name] = of.state_hash(name);
  return out;
}

// What a fresh projector makes of the whole journal in one go.
inline std::map<std::string, std::string> from_nothing(const journal& from) {
  memory_view_store views;
  projector fresh{from, views};
  RC_ASSERT(fresh.catch_up().has_value());
  return hashes(fresh);
}

}  // namespace berth::test
