// One server in one thread: the real kernel over an in-memory journal, bulk log and host, a manual
// clock and a seeded scheduler. crash() is a SIGKILL: what was not durable is gone, environments
// and what they print stay.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "actors/kernel_options.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "infra/memory/memory_journal.hpp"
#include "tests/support/fake_host.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/simulated_part.hpp"

namespace berth::testing {

class simulated_server {
 public:
  explicit simulated_server(std::uint64_t seed, kernel_limits limits = {});
  ~simulated_server();

  manual_clock clock;
  memory_journal journal;
  memory_bulk_log bulk;
  fake_host host;
  std::mt19937_64 random;
  kernel_limits limits;

  kernel& ask() { return *kernel_; }
  running_kernel& running() { return *kernel_; }
  bool up() const { return kernel_ != nullptr; }

  void boot();
  void crash(bool torn = false);
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

  std::unique_ptr<running_kernel> kernel_;
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
