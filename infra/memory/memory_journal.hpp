// The reference engine of events/core/journal.hpp: everything in memory, durable when told to be,
// crashing when told to.
//
//   automatic: append makes the commit durable and delivers its completion before it returns (a
//   completion that
//              appends again is delivered after the present one, by the same pump).
//   manual:    appended commits stay queued until flush(n) makes n of them durable and delivers.
//
//   records: [1][2][3][4] | [5][6][7]     crash() drops 5..7, or leaves a torn part of 5 that the
//   restart cuts
//                 durable ^    queued
//
// The object outlives a simulated crash: after crash() or restart() it is the journal a new process
// would open. Threads: any; the simulation uses one.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <unordered_map>

#include "actors/ports/clock.hpp"
#include "events/core/journal.hpp"
#include "infra/memory/commit_index.hpp"
#include "infra/memory/completions.hpp"
#include "infra/memory/followers.hpp"
#include "infra/memory/journal_limits.hpp"

namespace berth {

class memory_journal : public journal {
 public:
  enum class mode : std::uint8_t { automatic, manual };
  static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

  memory_journal(const clock& time, mode how, journal_limits limits = {});

  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener) override;
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override;
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override;
  position head(std::uint32_t partition = 0) const override;
  std::uint32_t partitions() const override { return 1; }
  std::shared_ptr<void> follow(std::function<void(position head)> wake) override;
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override;
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most = {}) const override;
  void save_snapshot(const snapshot& taken) override;
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override;

  // Makes up to `count` queued commits durable as one group and delivers; returns how many. A call
  // made while another one delivers leaves its work to that one and returns 0.
  std::size_t flush(std::size_t count = all);
  std::size_t queued() const;

  // The process dies and starts again: what was not flushed is gone, nothing is completed,
  // followers are forgotten, the epoch is the next. `torn` leaves half of the first lost record
  // behind, which the restart must cut.
  void crash(bool torn = false);
  // The next flush fails (J6). If `reached_disk`, its records are there after the next crash() all
  // the same.
  void fail_sync(bool reached_disk = false);
  // Damages the stored record, as a bad disk would: reads of it are `corrupt` from now on.
  void flip_bit(std::uint64_t offset, std::size_t byte);

  std::uint64_t epoch() const;

 private:
  struct queued_commit {
    std::string body_bytes;
    indexed_commit index;  // time and offset are set when it becomes durable
    std::uint64_t ticket{};
    std::shared_ptr<append_listener> listener;
  };

  stream_version next_version(const stream_id& stream) const;
  void store(queued_commit&& taken);
  std::size_t flush_group(std::size_t count);
  void fail_queue();
  void open();
  journal_result<commit> commit_at(std::uint64_t offset) const;

  const clock& time_;
  const mode mode_;
  const journal_limits limits_;

  mutable std::mutex mutex_;  // guards all below, but is not held while delivering
  std::deque<std::string> records_;
  std::size_t durable_{};  // records readers may see
  commit_index index_;
  chain_hash last_hash_{};
  timestamp last_time_{};
  std::uint64_t epoch_{};
  std::deque<queued_commit> queue_;
  std::size_t queue_bytes_{};
  std::unordered_map<stream_id, stream_version>
      last_queued_;  // of streams with queued commits, and others
  std::map<stream_id, std::map<std::uint64_t, snapshot>> snapshots_;
  bool closed_{};
  bool sync_fails_{};
  bool failed_reach_disk_{};
  bool pumping_{};
  completions completed_;
  followers followers_;
};

}  // namespace berth
