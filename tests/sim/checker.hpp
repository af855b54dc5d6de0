// Checks the history of what clients asked and were told against the journal and the reference
// model: linearizable per stream, each command once, what was acknowledged durable and kept.
//
//   The versions of a stream are the order. An accepted command stands at its commit: the model,
//   one version before, must say yes and the same events. A refusal, a read and a watch stand
//   somewhere between what was acknowledged to anybody when they were asked and what was durable
//   when they were answered: the model must say the same at one of these versions.
//
// walk() reads what the journal has got since the last one and settles what waited for it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "actors/kernel.hpp"
#include "infra/memory/memory_journal.hpp"
#include "tests/sim/model.hpp"

namespace berth::sim {

using client_command =
    std::variant<account::command, session::command, environment::command, terminal::command>;

// One command of one client, with all its tries.
struct operation {
  enum class way : std::uint8_t { plain, creates_environment, exec };
  std::uint64_t number{};
  way how{};
  account_id by;
  command_id id;
  stream_id stream;
  client_command what;
  std::optional<stream_version> if_match;
  bool is_foreign{};    // its stream belongs to somebody else
  stream_version seen;  // of the stream, acknowledged to anybody when it was first sent
  unsigned sends{};
  bool done{};         // its client has an answer
  unsigned answers{};  // of any kind but overloaded and unknown
  std::optional<stream_version> accepted_at;
};

// What was known when a command was sent, once: an answer may not stand before it.
struct attempt {
  stream_version seen;      // acknowledged to anybody
  std::uint64_t durable{};  // head of the journal
  bool is_damaged{};        // some record of it
  std::uint64_t damages{};  // so far
};

class checker {
 public:
  explicit checker(const memory_journal& log) : log_{log} {}

  operation& add(operation fresh);
  attempt begin_attempt(const operation& of) const {
    return {acknowledged(of.stream), log_.head().offset, is_damaged_, damages_};
  }
  std::deque<operation>& operations() { return operations_; }

  // What the kernel told, whether or not the client heard it.
  template <class A>
  void accepted(operation& of, const answer<A>& told);
  void accepted(operation& of, const exec_answer& told);
  void refused(operation& of, const attempt& in, const rejection& why);
  // A read or a watch, asked when `seen` was acknowledged.
  template <class A>
  void told(const stream_id& stream, stream_version seen, const answer<A>& answer);

  stream_version acknowledged(const stream_id& stream) const;
  // While a record of the journal is damaged, typed errors are no answers about it.
  void set_damaged(bool is_damaged) {
    is_damaged_ = is_damaged;
    damages_ += is_damaged ? 1 : 0;
  }

  // A state with a deadline is left by then, or soon after. Time in which the server could do
  // nothing, because the clock jumped or its disk failed, is not counted.
  void excuse(timestamp from, timestamp to) { excuses_.emplace_back(from, to); }

  void walk();
  // Told of every commit that walk() reads: for the trace.
  void on_commit(std::function<void(const commit&)> told) { on_commit_ = std::move(told); }
  void fail(std::string what) {
    if (!broken_) broken_ = std::move(what);
  }
  const std::optional<std::string>& broken() const { return broken_; }
  std::uint64_t checks() const { return checks_; }
  std::uint64_t trace() const { return trace_; }

  // What the log says now; nothing if the stream is empty. After walk().
  const environment_model* environment(const environment_id& id) const;
  const terminal_model* terminal(const terminal_id& id) const;
  const account_model* account(const account_id& id) const;
  std::uint64_t losses(const environment_id& id) const;

 private:
  template <class Model>
  struct stream_of {
    Model now;
    // By version; nothing in the middle of a commit: nobody may be told that.
    std::vector<std::shared_ptr<const Model>> states{std::make_shared<const Model>()};
    std::vector<std::pair<std::uint64_t, std::uint64_t>> at;  // offset, version from then on
  };
  template <class Model>
  using streams_of = std::unordered_map<std::string, stream_of<Model>>;
  struct found_command {
    stream_id stream;
    stream_version first, last;
    std::uint64_t offset{};
    timestamp time;
  };
  struct command_key_of {
    account_id scope;
    command_id id;
    bool operator==(const command_key_of&) const = default;
  };
  struct hash_of_key {
    std::size_t operator()(const command_key_of& key) const noexcept {
      return std::hash<uuid>{}(key.id);
    }
  };

  template <class A>
  auto& streams();
  template <class A>
  void follow_commit(const commit& happened, std::vector<typename A::event> events);
  template <class A>
  void read_events(const commit& happened);
  template <class A>
  void check_state(const stream_id& stream, stream_version seen, stream_version version,
                   const std::shared_ptr<const typename A::state>& state);
  template <class A>
  void check_refusal(const operation& of, const attempt& in, rejection_code code,
                     std::uint64_t durable, timestamp at);
  void read_commit(const commit& happened);
  void check_deadline(const environment_model& before, const commit_body& happened);
  void check_accepted(const operation& of, stream_version version);
  bool is_durable(position at) const { return at.offset <= log_.head().offset; }
  void later(std::function<void()> check) { outstanding_.push_back(std::move(check)); }

  const memory_journal& log_;
  std::deque<operation> operations_;
  std::unordered_map<uuid, operation*> by_id_;
  std::unordered_map<stream_id, stream_version> acknowledged_;
  std::unordered_map<command_key_of, found_command, hash_of_key> found_;
  streams_of<account_model> accounts_;
  streams_of<session_model> sessions_;
  streams_of<environment_model> environments_;
  streams_of<terminal_model> terminals_;
  std::unordered_map<std::string, std::uint64_t> losses_;
  std::unordered_map<std::string, std::pair<stream_version, environment::exec_finished>> exec_ends_;
  std::vector<std::function<void()>> outstanding_;
  std::function<void(const commit&)> on_commit_;
  std::uint64_t offset_{};
  timestamp last_time_{};
  std::vector<std::pair<timestamp, timestamp>> excuses_;
  bool is_damaged_{};
  std::uint64_t damages_{};
  std::optional<std::string> broken_;
  std::uint64_t checks_{};
  std::uint64_t trace_{};
};

}  // namespace berth::sim
