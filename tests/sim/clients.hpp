// The clients of a universe: they ask every command of every aggregate, lose answers, try again
// under the same id, send twice, use ids of others and touch what belongs to others.
#pragma once

#include <functional>
#include <vector>

#include "tests/sim/terminals.hpp"

namespace berth::sim {

struct client_stats {
  std::uint64_t commands{};  // each counted once, however often it was sent
  std::uint64_t sends{};
  std::uint64_t accepted{};  // answers, retries included
  std::uint64_t refused{};
};

class clients {
 public:
  clients(world& with, terminals& at) : world_{with}, terminals_{at} {}

  void begin();  // their accounts exist
  // One random thing, decided by `random` alone.
  void act(testing::seeded_random& random);
  // Some (or all) of those whose answer never came ask again.
  void ask_again(bool all);
  void forget_watches() { watches_.clear(); }  // the server is gone
  // Every environment ever asked for.
  const std::vector<std::pair<account_id, environment_id>>& environments() const {
    return environments_;
  }
  const std::vector<account_id>& accounts() const { return accounts_; }
  const client_stats& stats() const { return stats_; }
  void read_everything();
  void check_watches();  // at rest: each was told what everybody knows

 private:
  using random_type = testing::seeded_random;
  struct owned_stream {
    account_id owner;
    stream_id stream;
  };

  operation& begin_operation(random_type& random, const account_id& by, stream_id stream,
                             client_command what, operation::way how = operation::way::plain);
  void send(operation& op);
  template <class A, class Id>
  void send_to(operation& op, const Id& id);
  void send_creation(operation& op);
  void send_exec(operation& op);
  template <class Answer>
  void heard(operation& op, const attempt& in, const outcome<Answer>& got);
  void ask(operation& op);
  void ask_with_other_content(random_type& random);

  void use_account(random_type& random);
  void use_session(random_type& random);
  void use_environment(random_type& random);
  void use_terminal(random_type& random);
  void look(random_type& random);
  void create_environment(random_type& random);
  void run_exec(random_type& random, const owned_stream& at);
  void open_terminal(random_type& random);
  template <class A, class Id>
  void read(const Id& id, const account_id& by, bool is_foreign);
  void watch(const environment_id& id, const account_id& by);
  const account_id& any_account(random_type& random) const {
    return accounts_[random.below(accounts_.size())];
  }
  // The owner, or once in a while somebody else.
  const account_id& somebody(random_type& random, const owned_stream& of) const;

  world& world_;
  terminals& terminals_;
  std::vector<account_id> accounts_;
  std::vector<std::pair<account_id, environment_id>> environments_;
  std::vector<owned_stream> sessions_;
  std::vector<operation*> open_;  // not answered
  struct watched_stream {
    stream_id stream;
    std::shared_ptr<stream_version> last;  // told
    std::shared_ptr<void> handle;
  };
  std::vector<watched_stream> watches_;
  client_stats stats_;
};

}  // namespace berth::sim
