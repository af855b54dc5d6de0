// The real kernel over the embedded journal in a directory, both in this process. The host does
// everything at once: what is measured is the command path, not the sandbox.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "actors/kernel_options.hpp"
#include "events/core/instance_type.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "infra/telemetry/system_clock.hpp"
#include "tests/bench/bench_engine.hpp"
#include "tests/bench/load.hpp"
#include "tests/support/instant_host.hpp"

namespace berth::bench {

struct owned_environment {
  environment_id id;
  account_id account;
};
struct owned_session {
  session_id id;
  account_id account;
};

class bench_kernel {
 public:
  explicit bench_kernel(const std::filesystem::path& dir) : engine_{open_engine(dir)} {
    kernel_limits limits;
    limits.passivate_after = std::chrono::hours{1};
    kernel_ = make_kernel({engine_->journal(),
                           host_,
                           bulk_,
                           clock_,
                           {},
                           {derived_id("host", "bench", uuid{})},
                           boot_id(),
                           engine_->epoch(),
                           limits,
                           2,
                           false});
    kernel_->start();
  }
  ~bench_kernel() {
    kernel_->stop();
    kernel_.reset();  // before the journal, as berthd does
    engine_.reset();
  }
  bench_kernel(const bench_kernel&) = delete;

  running_kernel* operator->() { return kernel_.get(); }
  embedded_engine& engine() { return *engine_; }
  // Of this run of the program.
  double bytes_a_commit() const {
    const auto now = engine_->stats();
    return static_cast<double>(now.bytes_total) / static_cast<double>(now.commits_total);
  }

  command_meta meta(const account_id& by) {
    return {fresh_uuid(), {by, "tok_bench", false}, {}, {}, {}};
  }
  uuid fresh_uuid() {
    const auto n = ++serial_;
    std::array<std::uint8_t, 10> bits{};
    std::memcpy(bits.data() + 3, &n, 7);  // behind the bits that version and variant replace
    return uuid::v7(to_us(clock_.now()) / 1000, bits);
  }

  // That many running environments, of so many accounts in turn.
  std::vector<owned_environment> make_environments(std::size_t count, std::size_t accounts) {
    std::vector<owned_environment> made;
    for (std::size_t i = 0; i < count; ++i)
      made.push_back({{derived_id("env", std::to_string(i), uuid{})},
                      {derived_id("acct", std::to_string(i % accounts), uuid{})}});
    closed_loop(count, 1'000, [&](std::size_t i, std::function<void()> done) {
      kernel_->ask(made[i].id,
                   environment::create{made[i].account, "bench", "lightweight", "host",
                                       std::string{current_price_list}},
                   meta(made[i].account), [done](const auto&) { done(); });
    });
    while (kernel_->environments_running() < count)
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    return made;
  }

 private:
  system_clock clock_;
  testing::instant_host host_;
  memory_bulk_log bulk_;
  std::unique_ptr<embedded_engine> engine_;
  std::unique_ptr<running_kernel> kernel_;
  std::atomic<std::uint64_t> serial_{0};
};

inline owned_session session_number(std::size_t n) {
  const auto number = std::to_string(n);
  return {{derived_id("sess", number, uuid{})}, {derived_id("acct", number, uuid{})}};
}

}  // namespace berth::bench
