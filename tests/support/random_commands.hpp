// Random commands from small pools of ids and texts, so that they meet. One generator, one seed:
// repeatable.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "events/account/aggregate.hpp"
#include "events/environment/aggregate.hpp"
#include "events/host/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "events/terminal/aggregate.hpp"

namespace berth::test {

class chance {
 public:
  explicit chance(std::uint64_t seed) : engine_{seed} {}
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + below(from.size()));
  }
  std::string bytes(std::size_t size_max);
  uuid id(std::uint64_t pool);  // one of `pool` ids

 private:
  std::mt19937_64 engine_;
};

// `now` is the time of the command; reports often fit the present state.
environment::command random_command(chance& any, const environment::state& present, timestamp now);
account::command random_command(chance& any, const account::state& present, timestamp now);
terminal::command random_command(chance& any, const terminal::state& present, timestamp now);
session::command random_command(chance& any, const session::state& present, timestamp now);
host::command random_command(chance& any, const host::state& present, timestamp now);

// A step of time: mostly small, sometimes past a deadline.
microseconds random_step(chance& any);

}  // namespace berth::test
