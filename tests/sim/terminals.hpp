// The terminals of a universe: programs that print known bytes, people who type known keys, and
// viewers in every mode that come, go and are cut off. Every byte heard is compared with what was
// printed there (promise 6), every key applied with what was typed.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace berth::sim {

class terminals {
 public:
  explicit terminals(world& with);
  ~terminals();

  static constexpr std::size_t watched_max = 5;
  bool full() const { return all_.size() >= watched_max; }
  // A new terminal's id was asked to open; from now on it is watched.
  void watch(const terminal_id& id, const environment_id& environment, const account_id& account,
             terminal::journal_mode mode);
  // One thing happens at one of them; false if there is nothing to do.
  bool act(testing::seeded_random& random);
  void cut_all();     // the server is gone: so is every attachment
  bool cut_one();     // a connection breaks
  void stumble();     // the connection of an agent breaks
  void check_ends();  // at rest: everything that was printed can be had
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t checks() const { return checks_; }
  // One of them, for commands; nothing if there is none.
  const terminal_id* any(testing::seeded_random& random) const;
  const account_id& owner(const terminal_id& id) const;
  session_id session_of(std::size_t person) const;

 private:
  struct screen_client;
  struct watched;
  class line;

  void print(watched& at, testing::seeded_random& random);
  void type(watched& at, testing::seeded_random& random);
  void attach(watched& at, screen_client& client, std::uint64_t window);
  void check_end(watched& at);
  void check_typed(watched& at);

  world& world_;
  std::vector<std::unique_ptr<watched>> all_;
  std::uint64_t bytes_{};
  std::uint64_t checks_{};
};

}  // namespace berth::sim
