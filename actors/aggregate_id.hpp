// From an aggregate and a stream's key to the id that kernel's calls take. Pure.
#pragma once

#include <string>

#include "actors/kernel.hpp"

namespace berth::actors {

template <class A>
struct aggregate_id;
template <>
struct aggregate_id<account::aggregate> {
  using type = account_id;
};
template <>
struct aggregate_id<session::aggregate> {
  using type = session_id;
};
template <>
struct aggregate_id<environment::aggregate> {
  using type = environment_id;
};
template <>
struct aggregate_id<terminal::aggregate> {
  using type = terminal_id;
};
template <>
struct aggregate_id<host::aggregate> {
  using type = host_id;
};

template <class A>
typename aggregate_id<A>::type id_of(const std::string& key) {
  return {key};
}

}  // namespace berth::actors
