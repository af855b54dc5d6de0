// An in-memory, deterministic environment_host for actor tests: nothing happens until pump().
//
//   fake_host host;                           // one thread, no clock, no I/O
//   host.fail_next(host_call::start, error);  // the next start() completes with this error
//   host.hang_next(host_call::stop);          // the next stop() completes only after release()
//   host.feed(terminal, "bytes");             // what the PTY of a terminal prints
//   host.pump();                              // completions and observer calls run here, in order
//
// It keeps the rules of the port: H1 (each completion once, never inside the call), H2, H3 (owner
// epoch), H4 (exec by effect id), H5 (offsets, follow, pace, durable), exactly-once input.
// restart_server() is what a SIGKILL of the server looks like from here: queued completions and
// followers are gone, environments run on.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"
#include "infra/agent/program/input_table.hpp"

namespace berth::testing {

enum class host_call : std::uint8_t {
  adopt,
  create,
  start,
  stop,
  destroy,
  exec,
  open_terminal,
  terminal_input,
  dial
};

// What happens to one request and its answer on their way to and from the host's agents.
enum class call_fate : std::uint8_t {
  done,         // executed and answered
  refused,      // not executed, an error is answered
  hangs,        // not executed before release()
  answer_lost,  // executed, `timeout` is answered
  repeated,     // executed twice, answered once
};

class fake_host final : public environment_host {
 public:
  // what a test does

  // Runs what is queued, and what that queues, until nothing is left. Returns how many ran.
  std::size_t pump();
  bool pump_one();
  // The same, but `pick` (of the number of choices) says which completion comes next; the order of
  // what the observer is told stays (H5).
  bool pump_one(const std::function<std::size_t(std::size_t)>& pick);
  void fail_next(host_call call, host_error error);
  void hang_next(host_call call);
  std::size_t release();  // completes what hangs, in order
  // What becomes of each call from now on, unless it was scripted.
  // What the server says of a terminal's bytes: that it will never ask for them again.
  using durable_listener = std::function<void(const terminal_id&, std::uint64_t offset)>;
  void on_durable(durable_listener told) { on_durable_ = std::move(told); }
  using fate_decider = std::function<call_fate(host_call, const environment_id&)>;
  void decide_fates(fate_decider fate_of) { fate_of_ = std::move(fate_of); }
  void answer_exec(
      std::function<host_result<exec_output>(const environment_id&, const exec_request&)> script);
  void feed(const terminal_id& terminal, std::string_view bytes);
  void end(const terminal_id& terminal, std::optional<std::int32_t> exit_code = 0,
           std::optional<std::int32_t> signal = {}, std::string reason = "exited");
  void lose(const environment_id& id, const std::string& reason = "agent killed");
  void lose_all(const std::string& reason);  // the launcher died, its environments with it
  // An old loss is told once more; false if there was none.
  bool repeat_loss(std::size_t which);
  // The connection to the agent of a terminal broke: bytes delivered already come again, or some
  // are left out and come when asked for. `by` says how many.
  void repeat_output(const terminal_id& terminal, std::uint64_t by);
  void skip_output(const terminal_id& terminal, std::uint64_t by);
  void see_stats(const environment_id& id, const environment_stats& stats);
  void restart_server();
  // The machine rebooted: nothing runs, disks are there. Of each terminal's output that was not
  // durable at the server yet, `kept` says how many bytes the disk has.
  void reboot(const std::function<std::uint64_t(std::uint64_t)>& kept = {});
  host_capabilities found{"fake", true, "full", "memory,cpu,pids", "none", {}};

  // what a test looks at

  std::size_t calls(host_call call) const;
  bool exists(const environment_id& id) const { return environments_.contains(id); }
  bool running(const environment_id& id) const;
  std::vector<environment_id> running_environments() const;
  std::string typed(const terminal_id& terminal) const;          // input applied so far
  std::uint64_t next_offset(const terminal_id& terminal) const;  // read from the PTY so far
  std::uint64_t durable_offset(const terminal_id& terminal) const;
  std::pair<std::uint16_t, std::uint16_t> size(const terminal_id& terminal) const;
  std::size_t blocked_bytes(
      const terminal_id& terminal) const;  // fed, not read because of pace or bound
  bool has_terminal(const terminal_id& terminal) const { return terminals_.contains(terminal); }
  bool terminal_alive(const terminal_id& terminal) const;  // its program still prints
  std::vector<exec_request> execs;                         // every one that ran, once each
  std::optional<std::uint64_t> final_offset(const terminal_id& terminal) const;  // of an ended one

  // the port

  void observe(host_observer* observer) override { observer_ = observer; }
  host_capabilities capabilities() const override { return found; }
  std::vector<template_info> templates() const override;
  void adopt(host_completion<std::vector<adopted_environment>> done) override;
  void create(const environment_spec& spec, host_completion<bool> done) override;
  void start(const environment_spec& spec, host_completion<incarnation> done) override;
  void stop(const environment_id& id, std::uint64_t owner_epoch,
            host_completion<bool> done) override;
  void destroy(const environment_id& id, std::uint64_t owner_epoch,
               host_completion<bool> done) override;
  void exec(const environment_id& id, const exec_request& request,
            host_completion<exec_output> done) override;
  void open_terminal(const environment_id& id, const terminal_spec& spec,
                     host_completion<terminal_started> done) override;
  void follow_terminal(const environment_id& id, const terminal_id& terminal,
                       std::uint64_t from) override;
  void terminal_input(const environment_id& id, const terminal_id& terminal,
                      const input_stream_id& stream, std::uint64_t sequence, std::string bytes,
                      host_completion<input_outcome> done) override;
  void resize_terminal(const environment_id& id, const terminal_id& terminal, std::uint16_t cols,
                       std::uint16_t rows) override;
  void pace_terminal(const environment_id& id, const terminal_id& terminal,
                     std::optional<std::uint64_t> read_until) override;
  void terminal_durable(const environment_id& id, const terminal_id& terminal,
                        std::uint64_t offset) override;
  void close_terminal(const environment_id& id, const terminal_id& terminal) override;
  void dial(const environment_id& id, std::uint16_t port, host_completion<int> done) override;

 private:
  struct environment {
    environment_spec spec;
    std::uint64_t owner_epoch{};
    std::uint64_t starts{};
    bool running{};
    std::map<effect_id, exec_output> outcomes;
  };
  struct terminal {
    environment_id owner;
    terminal_spec spec;
    std::string output;  // read from the PTY, from offset 0; bytes below `durable` are forgotten
    std::string unread;  // printed, the agent has not read it
    std::optional<std::uint64_t> read_until;
    std::optional<std::uint64_t> delivered;  // follower's place; nothing if nobody follows
    std::uint64_t durable{};
    std::string typed;
    agent::input_table inputs;
    std::optional<terminal_end> ended;
    bool end_told{};
  };
  struct script {
    std::optional<host_error> error;  // nothing: hang
  };

  template <class T>
  void complete(host_call call, const environment_id& at, host_completion<T> done,
                std::function<host_result<T>()> result);
  host_result<environment*> owned(const environment_id& id, std::uint64_t owner_epoch);
  terminal* find(const terminal_id& id);
  void read_pty(const terminal_id& id);
  void deliver(const terminal_id& id);
  void end_terminals(const environment_id& id, const std::string& reason);
  static incarnation life_of(const environment_id& id, const environment& e) {
    return {id.value + "#" + std::to_string(e.starts)};
  }
  std::uint64_t lives(const environment_id& id) const {
    const auto at = environments_.find(id);
    return at == environments_.end() ? 0 : at->second.starts;
  }
  void tell(std::function<void()> news) { queued_.push_back({true, std::move(news)}); }

  host_observer* observer_{};
  std::map<environment_id, environment> environments_;
  std::map<terminal_id, terminal> terminals_;
  std::map<environment_id, std::uint64_t> epochs_;  // outlives a destroyed environment (H3)
  struct queued {
    bool in_order{};  // among its like: news for the observer, answers to input
    std::function<void()> run;
  };
  std::deque<queued> queued_;
  std::deque<std::function<void()>> hanging_;
  std::map<host_call, std::deque<script>> scripts_;
  std::map<host_call, std::size_t> calls_;
  std::function<host_result<exec_output>(const environment_id&, const exec_request&)> exec_script_;
  fate_decider fate_of_;
  durable_listener on_durable_;
  std::vector<std::pair<environment_id, incarnation>> losses_;
};

// The result is computed at the call (so that later calls see its effect), told at pump().
template <class T>
void fake_host::complete(host_call call, const environment_id& at, host_completion<T> done,
                         std::function<host_result<T>()> result) {
  ++calls_[call];
  auto fate = call_fate::done;
  host_error failure{host_errc::timeout, "the simulated host did not answer", "try again"};
  if (auto& scripted = scripts_[call]; !scripted.empty()) {
    fate = scripted.front().error ? call_fate::refused : call_fate::hangs;
    failure = scripted.front().error.value_or(failure);
    scripted.pop_front();
  } else if (fate_of_) {
    fate = fate_of_(call, at);
  }
  const auto answer = [&](host_result<T> value) {
    queued_.push_back({call == host_call::terminal_input,
                       [done = std::move(done), value = std::move(value)] { done(value); }});
  };
  switch (fate) {
    case call_fate::refused:
      return answer(failure);
    case call_fate::hangs:
      return hanging_.push_back(
          [done = std::move(done), result = std::move(result)] { done(result()); });
    case call_fate::answer_lost:
      (void)result();
      return answer(failure);
    case call_fate::repeated:
      (void)result();
      break;
    case call_fate::done:
      break;
  }
  answer(result());
}

}  // namespace berth::testing
