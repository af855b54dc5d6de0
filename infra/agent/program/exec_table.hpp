// Commands run for the server, keyed by effect id: run at most once, the outcome kept for whoever
// asks again.
//
//   exec(id) --new--> running --done--> recorded (1024 outcomes, 32 MiB) --evicted-->
//   outcome_unknown
//                     ^ repeat attaches  ^ repeat gets the record
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "infra/agent/loop/event_loop.hpp"
#include "infra/agent/program/spawn.hpp"
#include "infra/agent/protocol/message.hpp"

namespace berth::agent {

struct exec_job;

class exec_table {
 public:
  static constexpr std::size_t running_max = 64;
  static constexpr std::size_t outcomes_max = 1024;
  static constexpr std::size_t outcome_bytes_max = 32 * 1024 * 1024;
  static constexpr std::size_t forgotten_ids_max = 64 * 1024;
  static constexpr std::uint32_t output_bytes_max = 1024 * 1024;  // of each of stdout and stderr

  using answer = std::function<void(const wire::ExecDoneT&)>;

  // Every outcome is said through `told`: once when it is known, and again when asked again.
  exec_table(event_loop& loop, spawner& spawner, answer told);
  ~exec_table();

  void exec(const wire::Exec& request);
  bool reaped(pid_t pid, std::int32_t wait_status);  // false: not a child of this table
  void signal_all(int number);
  bool idle() const { return running_.empty(); }

 private:
  struct outcome {
    wire::ExecDoneT done;
    std::size_t bytes{};
  };
  void start(const id_bytes& id, const wire::Exec& request);
  void refuse(const id_bytes& id, wire::Problem problem, const std::string& message);
  void watch_output(exec_job& job, int which);
  void write_stdin(exec_job& job);
  void maybe_finish(exec_job& job);
  void finish(exec_job& job);
  void record(const id_bytes& id, wire::ExecDoneT done);

  event_loop& loop_;
  spawner& spawner_;
  answer told_;
  std::map<id_bytes, std::unique_ptr<exec_job>> running_;
  std::map<id_bytes, outcome> outcomes_;
  std::deque<id_bytes> outcome_order_;
  std::size_t outcome_bytes_ = 0;
  std::set<id_bytes> forgotten_;
  std::deque<id_bytes> forgotten_order_;
};

}  // namespace berth::agent
