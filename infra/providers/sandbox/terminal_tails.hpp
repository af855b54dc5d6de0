// Output that an agent had not handed over when it died: its ring files, kept until the server has
// them on stable storage.
//
//   DIR/run/envs/<id>/state/<terminal>.ring   of the running incarnation, the agent writes it
//   DIR/run/envs/<id>/tails/<terminal>.ring   of a dead one, moved here before the next starts
//
// Threads: shelve on a worker while no agent of the environment runs; the rest on one thread.
#pragma once

#include <string>

#include "actors/ports/environment_host.hpp"

namespace berth {

class terminal_tails {
 public:
  explicit terminal_tails(std::string run_dir) : envs_(std::move(run_dir) + "/envs") {}
  // Moves what the dead incarnation left. Returns the terminals.
  std::vector<terminal_id> shelve(const environment_id& id) const;
  bool holds(const environment_id& id, const terminal_id& terminal) const;
  // Everything from `from` on, then the end. An offset outside the file ends the terminal there:
  // nothing is invented.
  void deliver(const environment_id& id, const terminal_id& terminal, std::uint64_t from,
               const std::string& reason, host_observer& to) const;
  // The server has everything below `offset`: a file whose end is reached goes.
  void durable(const environment_id& id, const terminal_id& terminal, std::uint64_t offset) const;
  void remove(const environment_id& id, const terminal_id& terminal) const;

 private:
  std::string folder(const environment_id& id) const { return envs_ + "/" + id.value + "/tails"; }
  std::string envs_;
};

}  // namespace berth
