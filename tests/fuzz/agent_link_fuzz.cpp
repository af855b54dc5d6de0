// The server's side of the agent protocol: whatever an agent says, which is tenant input, the
// server keeps its own promises: bytes of a terminal in order, every call answered once.
#include <map>

#include "events/core/arguments.hpp"
#include "infra/agent/link/agent_link.hpp"
#include "tests/fuzz/agent_peer.hpp"
#include "tests/fuzz/agent_seeds.hpp"
#include "tests/support/temporary_folder.hpp"

namespace berth::fuzz {
namespace {

using namespace berth::agent;

// Bits of the input's first byte.
enum choice : std::uint8_t { with_welcome = 1, in_two = 2, with_descriptor = 4, with_close = 8 };

constexpr int turns_max = 8;
const terminal_id terminal{seed_terminal};

// How often each call was answered.
class answers {
 public:
  template <class T>
  host_completion<T> one() {
    const auto number = count_.size();
    count_.push_back(0);
    return [this, number](const host_result<T>& result) {
      require(++count_[number] == 1, "a call is answered once");
      require(!detached, "nothing is answered after detach");
      if (!result)
        return require(result.error().message.size() <= 2 * long_text_bytes_max,
                       "an error is short");
      if constexpr (std::is_same_v<T, int>) ::close(*result);
    };
  }
  bool all() const {
    for (const int count : count_)
      if (count == 0) return false;
    return true;
  }
  bool detached = false;

 private:
  std::vector<int> count_;
};

class observer : public agent_link_observer {
 public:
  explicit observer(const answers& given) : given_{given} {}

  void agent_ready(const environment_id& environment,
                   const std::vector<agent_terminal>& terminals) override {
    called(environment);
    for (const auto& each : terminals)
      require(each.id.value.size() <= short_text_bytes_max, "a terminal's name is short");
  }
  void terminal_output(const terminal_id& from, std::uint64_t offset, shared_bytes data) override {
    called(environment_);
    require(from == terminal, "output is of a terminal that is followed");
    require(offset == next_ && !data->empty(), "output goes on at the next byte");
    require(!ended_, "no output comes behind the end");
    next_ += data->size();
  }
  void terminal_ended(const terminal_id&, const terminal_end& end) override {
    called(environment_);
    require(end.final_offset == next_ && !ended_, "a terminal ends once, at its last byte");
    ended_ = true;
  }
  void terminal_missing(const terminal_id&, const host_error&, std::uint64_t) override {
    called(environment_);
  }
  void stats_seen(const environment_id& environment, const environment_stats&) override {
    called(environment);
  }
  void gateway_connection(const environment_id& environment, int fd) override {
    called(environment);
    ::close(fd);
  }
  void agent_over(const environment_id& environment, const incarnation&, bool,
                  const host_error&) override {
    called(environment);
    over_ = true;
    require(given_.all(), "once over, every call has its answer");
  }

 private:
  void called(const environment_id& environment) {
    require(environment == environment_, "an agent speaks for its own environment");
    require(!over_ && !given_.detached, "nothing is told after the end");
  }
  const answers& given_;
  const environment_id environment_{seed_environment};
  std::uint64_t next_ = 0;
  bool ended_ = false;
  bool over_ = false;
};

void turn(agent_reactor& reactor) {
  for (int turns = 0; turns < turns_max; ++turns)
    reactor.loop().run_once(std::chrono::milliseconds{0});
}

// Everything a link can be asked.
void ask_all(agent_link& link, answers& given, bool close) {
  exec_request exec;
  exec.effect.bytes = seed_id;
  exec.command = {"true"};
  link.exec(exec, given.one<exec_output>());
  link.exec(exec, given.one<exec_output>());
  terminal_spec spec;
  spec.id = terminal;
  link.open_terminal(spec, given.one<terminal_started>());
  link.follow(terminal, 0);
  input_stream_id stream;
  stream.bytes = seed_id;
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence)
    link.input(terminal, stream, sequence, "typed", given.one<input_outcome>());
  link.resize(terminal, 100, 40);
  link.pace(terminal, 1000);
  link.durable(terminal, 4);
  link.dial(8080, given.one<int>());
  if (close) link.close_terminal(terminal);
}

}  // namespace

void run(std::string_view bytes) {
  static const testing::temporary_folder folder;
  static const auto path = (folder.path() / "agent.sock").string();
  static const auto listener = listen_at(path);
  input_reader input{bytes};
  const auto chosen = input.byte();
  answers given;
  observer watching{given};
  agent_reactor reactor;
  const auto link = agent_link::make(
      reactor, {path, {}, environment_id{seed_environment}, incarnation{seed_incarnation}, 1},
      watching);
  turn(reactor);
  agent_peer agent{unique_fd{::accept(listener.get(), nullptr, nullptr)}};
  if (chosen & with_welcome) agent.send(welcome());
  ask_all(*link, given, chosen & with_close);
  turn(reactor);
  if (chosen & in_two) {
    agent.send(input.bytes(bytes.size() / 2));
    turn(reactor);
  }
  const auto rest = input.rest();
  chosen& with_descriptor ? agent.send_with_descriptor(rest) : agent.send(rest);
  turn(reactor);
  agent.listen();
  link->detach();
  given.detached = true;
  turn(reactor);
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& said : agent_says()) {
    all.push_back(std::string{0} + said);
    all.push_back(std::string{in_two | with_close} + said);
    const auto after_welcome = said.substr(said.starts_with(welcome()) ? welcome().size() : 0);
    all.push_back(std::string{with_welcome | with_descriptor} + after_welcome);
  }
  return all;
}

}  // namespace berth::fuzz
