// What the kernel is built from, and its named bounds.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "actors/kernel.hpp"
#include "actors/ports/background.hpp"
#include "actors/ports/bulk_log.hpp"
#include "actors/ports/clock.hpp"
#include "actors/ports/environment_host.hpp"
#include "actors/ports/nodes.hpp"
#include "actors/ports/screen.hpp"
#include "events/core/journal.hpp"

namespace berth {

struct kernel_limits {
  // Commands accepted and not answered. What is in flight is what the next one waits for: 4,096 are
  // some 30 ms at the rate two cores reach, 65,536 were half a second.
  std::uint32_t in_flight_per_actor_max{1'024};
  std::uint32_t in_flight_per_account_max{2'048};
  std::uint32_t in_flight_max{4'096};
  std::chrono::hours command_window{24};  // older UUIDv7 ids are refused command_too_old
  std::chrono::seconds passivate_after{60};
  std::uint32_t snapshot_every_events{256};
  std::uint64_t terminal_hot_bytes_max{512 * 1024};  // recent output kept in memory
  std::uint64_t terminal_free_window_bytes{
      8 << 20};  // output in flight that is not durable yet, free running
  std::uint64_t terminal_pump_bytes_max{256 * 1024};  // to one viewer in one turn
  std::uint64_t screen_lag_bytes_max{1 << 20};        // a screen viewer further behind gets a gap
  std::uint32_t viewers_per_terminal_max{64};
  std::chrono::seconds driver_silence_max{5};  // then the terminal runs free
};

struct kernel_options {
  berth::journal& journal;
  berth::environment_host& host;
  berth::bulk_log& bulk;
  const berth::clock& clock;
  screen_factory make_screen;
  host_id this_host;
  std::string boot;              // the machine's boot id
  std::uint64_t owner_epoch{1};  // of the partition's leader: this server's incarnation
  kernel_limits limits{};
  std::size_t worker_threads{2};
  // Deterministic: no threads; the caller runs jobs and timers (actors/simulation.hpp).
  bool simulated{};
  berth::background* behind{};  // nothing = such work is done at once, piece by piece
  berth::nodes* nodes{};        // nothing = this server is alone
};

// Adopts what runs, then sees to every stream's effects in the background. stop() takes no more
// commands and lets the actors go; its destructor waits for them, so close the journal after that.
// Environments stay.
class running_kernel : public kernel {
 public:
  virtual void start() = 0;
  virtual void stop() = 0;
  // A partition of the journal is led anew, or no longer: soon what is in memory looks at its
  // stream again; in a cluster, what began also wakes the partition's other streams. Any thread.
  virtual void leadership_began(std::uint32_t partition) = 0;
  virtual void leadership_ended(std::uint32_t partition) = 0;
  // Environments this kernel last knew to be running.
  virtual std::size_t environments_running() const = 0;

  // Simulation only. Runs one queued job chosen by `pick` (of the number of jobs); false if there
  // is none.
  virtual bool run_job(const std::function<std::size_t(std::size_t)>& pick) = 0;
  // Simulation only. Fires every timer due at clock.now(); returns how many.
  virtual std::size_t fire_timers() = 0;
  // Simulation only. The next timer's time, if any.
  virtual std::optional<timestamp> next_timer() const = 0;
};

std::unique_ptr<running_kernel> make_kernel(kernel_options options);

}  // namespace berth
