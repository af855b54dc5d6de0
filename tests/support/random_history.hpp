// A random but legal history of several accounts, environments, terminals, sessions and a host,
// appended to a journal as the shell would: decide, append, apply. One seed, one history. The
// journal must complete appends at once.
#pragma once

#include <map>
#include <string>

#include "events/core/invariant.hpp"
#include "events/core/journal.hpp"
#include "tests/support/random_commands.hpp"

namespace berth::test {

class random_history {
 public:
  random_history(journal& into, std::uint64_t seed) : journal_{into}, any_{seed} {}

  // Asks until `commits` more were accepted.
  void grow(std::size_t commits) {
    for (const auto wanted = commits_ + commits; commits_ < wanted;) {
      now_ += random_step(any_);
      switch (any_.below(8)) {
        case 0:
          ask<account::aggregate>(accounts_, any_.pick({"acct_1", "acct_2"}));
          break;
        case 1:
          ask<session::aggregate>(sessions_, any_.pick({"sess_1", "sess_2"}));
          break;
        case 2:
          ask<terminal::aggregate>(terminals_, recent("term_", 3));
          break;
        case 3:
          ask<host::aggregate>(hosts_, "host_1");
          break;
        default:
          ask<environment::aggregate>(environments_, recent("env_", 3));
      }
    }
  }

  timestamp now() const { return now_; }
  const std::map<std::string, environment::state>& environments() const { return environments_; }
  const std::map<std::string, terminal::state>& terminals() const { return terminals_; }
  // Every event of an environment with the time it was decided at, for independent sums.
  const std::map<std::string, std::vector<environment::event>>& environment_events() const {
    return told_;
  }

 private:
  // One of the few things in use now: each is asked often enough to live a whole life, then others
  // follow.
  std::string recent(const std::string& prefix, std::uint64_t pool) {
    constexpr std::size_t commits_a_generation = 300;
    return prefix + std::to_string(commits_ / commits_a_generation * pool + any_.below(pool));
  }

  template <class A>
  void ask(std::map<std::string, typename A::state>& states, const std::string& key) {
    auto& state = states[key];
    auto asked = random_command(any_, state, now_);
    if constexpr (A::kind == aggregate_kind::environment) {
      // Names are unique in an account: its own stream sees to that.
      if (auto* create = std::get_if<environment::create>(&asked))
        create->name = "name-" + key.substr(4);
    }
    const auto decided = A::decide(state, asked, {now_});
    if (!decided) return;
    commit_body body;
    body.stream = {A::kind, key};
    body.first = {versions_[body.stream] + 1};
    body.command = uuid::derived("history", std::to_string(commits_));
    body.correlation = any_.id(20);
    body.by = {{any_.pick({"acct_1", "acct_2"})}, any_.pick({"tok_1", "system"}), any_.one_in(2)};
    if (any_.one_in(4)) body.because = cause{{aggregate_kind::account, "acct_1"}, {any_.below(9)}};
    body.asked_at = now_;
    for (const auto& happened : *decided) {
      body.events.push_back(A::encode(happened));
      if constexpr (A::kind == aggregate_kind::environment) told_[key].push_back(happened);
      state = A::apply(std::move(state), happened);
    }
    versions_[body.stream] = body.last().value;
    const auto refused = journal_.append(body, commits_, nullptr);
    BERTH_ASSERT(!refused);
    ++commits_;
  }

  journal& journal_;
  chance any_;
  timestamp now_{from_us(1'700'000'000'000'000)};
  std::size_t commits_{};
  std::map<stream_id, std::uint64_t> versions_;
  std::map<std::string, account::state> accounts_;
  std::map<std::string, session::state> sessions_;
  std::map<std::string, terminal::state> terminals_;
  std::map<std::string, environment::state> environments_;
  std::map<std::string, host::state> hosts_;
  std::map<std::string, std::vector<environment::event>> told_;
};

}  // namespace berth::test
