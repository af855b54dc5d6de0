// One server in one thread: the real kernel over an in-memory journal, bulk log and host, a manual
// clock and a seeded scheduler. crash() is a SIGKILL: what was not durable is gone, environments
// and what they print stay.
#pragma once

#include <memory>
#include <vector>

#include "actors/kernel_options.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "infra/memory/memory_journal.hpp"
#include "tests/support/fake_host.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/simulated_part.hpp"

namespace berth::testing {

// How the simulated machine behaves; all off is a machine without surprises.
struct machine_manners {
  bool writes_apart{};       // commits are written some time before they are synced
  bool slow_sync{};          // most turns of the disk do nothing
  bool slow_bulk{};          // bulk is synced when it pleases, not whenever nothing else is to do
  bool answers_reordered{};  // the host's completions come in any order
};

class simulated_server {
 public:
  explicit simulated_server(std::uint64_t seed, kernel_limits limits = {},
                            journal_limits disk_limits = {});
  ~simulated_server();

  manual_clock clock;
  memory_journal journal;
  memory_bulk_log bulk;
  fake_host host;
  seeded_random random;
  kernel_limits limits;
  machine_manners manners;

  kernel& ask() { return *kernel_; }
  running_kernel& running() { return *kernel_; }
  bool up() const { return kernel_ != nullptr; }

  void boot();
  void crash(bool torn = false);
  // SIGKILL: what was written is still there, synced or not; of bulk a prefix of it.
  void kill();
  // The machine loses power: of what was not synced the disk has what `bytes_left` says, of each
  // record in turn, and nothing runs on it any more.
  void power_cut(const memory_journal::survival& bytes_left);
  // Takes turns with the kernel from now on; outlived by it until leave().
  void join(simulated_part& part) { parts_.push_back(&part); }
  void leave(simulated_part& part) { std::erase(parts_, &part); }
  // One random step of the scheduler, the disk or the host; false if nothing is left to do without
  // time passing.
  bool step();
  // Steps until nothing is left to do. Time stands still.
  void settle();
  // Settles, moving time forward in between, until `by` has passed.
  void pass(microseconds by);

  // Asks and settles; the answer as the caller got it.
  template <class A, class Id>
  outcome<answer<A>> call(const Id& id, typename A::command what, command_meta meta);

  command_meta meta_for(const account_id& account);
  command_id fresh_command();
  account_id make_account(const std::string& name);
  environment_id make_environment(const account_id& account,
                                  const std::string& name);  // and waits for RUNNING

 private:
  std::optional<timestamp> next_timer() const;
  void end_kernel();
  bool turn_disk();

  std::unique_ptr<running_kernel> kernel_;
  unsigned boots_of_machine_{1};
  std::vector<simulated_part*> parts_;
};

template <class A, class Id>
outcome<answer<A>> simulated_server::call(const Id& id, typename A::command what,
                                          command_meta meta) {
  outcome<answer<A>> got = reject(rejection_code::unavailable, "no answer came");
  auto shared = std::make_shared<outcome<answer<A>>>(got);
  kernel_->ask(id, std::move(what), std::move(meta),
               [shared](outcome<answer<A>> result) { *shared = std::move(result); });
  settle();
  return *shared;
}

}  // namespace berth::testing
