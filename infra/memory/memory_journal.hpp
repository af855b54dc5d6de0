// The reference engine of events/core/journal.hpp: everything in memory, durable when told to be,
// crashing when told to.
//
//   automatic: append makes the commit durable and delivers its completion before it returns (a
//   completion that
//              appends again is delivered after the present one, by the same pump).
//   manual:    appended commits stay queued until write(n) gives n of them to the disk, where they
//              are unsynced, and sync() makes those durable and delivers. flush(n) does both.
//
//   records: [1][2][3][4] | [5][6] | [7][8]     kill() drops 7..8; power_cut() also any part of 5
//                 durable ^ unsynced ^ queued   and 6, in any order; the restart cuts what is torn
//
// The object outlives a simulated crash: after it, it is the journal a new process would open. A
// restart that finds less or other than was acknowledged says so (damage()) and stays closed, as
// the embedded engine refuses to start. Threads: any; the simulation uses one.
#pragma once

#include <atomic>
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

  // The only partition it has is `partition`: of a journal made of several it is one.
  memory_journal(const clock& time, mode how, journal_limits limits = {},
                 std::uint32_t partition = 0);

  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener) override;
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override;
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override;
  position head(std::uint32_t partition = 0) const override;
  std::uint32_t partitions() const override { return 1; }
  std::uint64_t leadership_of(const stream_id&) const override { return leadership_; }
  // As of a journal that several nodes share; 0: another one leads.
  void set_leadership(std::uint64_t now) { leadership_ = now; }
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
  // Gives up to `count` queued commits to the disk; nobody is told. Manual mode.
  std::size_t write(std::size_t count = all);
  // Makes what was written durable and delivers; returns how many. Manual mode.
  std::size_t sync();
  std::size_t queued() const;
  std::size_t unsynced() const;

  // The process dies and starts again: what was not flushed is gone, nothing is completed,
  // followers are forgotten, the epoch is the next. `torn` leaves half of the first lost record
  // behind, which the restart must cut.
  void crash(bool torn = false);
  // As crash(), but what was written is still there: the machine goes on.
  void kill();
  // As crash(), and the disk decides about each unsynced record how many of its bytes are there.
  using survival = std::function<std::size_t(std::size_t record_bytes)>;
  void power_cut(const survival& bytes_left);
  // Starts again on the same storage, with every record verified.
  void reopen();
  // Why the last start failed: `data_loss` or `corrupt`, naming the place. All is refused then.
  const std::optional<journal_error>& damage() const { return damage_; }

  // The next flush or sync fails (J6). If `reached_disk`, its records are there after the next
  // crash() all the same.
  void fail_sync(bool reached_disk = false);
  bool closed() const;  // after a failed sync: the process must end
  // Damages the stored record, as a bad disk would: reads of it are `corrupt` from now on. The same
  // again takes the damage back.
  void flip_bit(std::uint64_t offset, std::size_t byte, unsigned bit = 0);
  // Puts another record in the place of a stored one (a misdirected or stale write); returns what
  // was there.
  std::string exchange_record(std::uint64_t offset, std::string record);
  // Records that a power cut took, by the offset they had.
  const std::map<std::uint64_t, std::string>& lost_records() const { return lost_; }
  // Snapshots a power cut or a bad disk takes or damages; `pick` chooses (0: keep, 1: lost, 2:
  // rot).
  void age_snapshots(const std::function<unsigned()>& pick);

  std::uint64_t epoch() const;

 private:
  struct queued_commit {
    std::string body_bytes;
    indexed_commit index;  // time and offset are set when it becomes durable
    std::uint64_t ticket{};
    std::shared_ptr<append_listener> listener;
  };

  struct unsynced_commit {
    std::uint64_t ticket{};
    stream_version last;
    std::shared_ptr<append_listener> listener;
  };
  struct kept_snapshot {
    snapshot what;
    std::uint32_t checksum{};  // of the state
  };

  stream_version next_version(const stream_id& stream) const;
  void store(queued_commit&& taken);
  void write_group(std::size_t count);
  std::size_t sync_group();
  void fail_all();
  void deliver(std::unique_lock<std::mutex>& lock, std::size_t synced);
  std::deque<queued_commit> end_process();
  void open();
  std::optional<journal_error> judge(std::size_t good, const chain_hash& at_durable,
                                     const std::optional<journal_error>& bad) const;
  journal_result<commit> commit_at(std::uint64_t offset) const;

  const clock& time_;
  const mode mode_;
  const journal_limits limits_;
  const std::uint32_t partition_;

  mutable std::mutex mutex_;  // guards all below, but is not held while delivering
  std::deque<std::string> records_;
  std::size_t durable_{};  // records readers may see
  chain_hash durable_hash_{};
  commit_index index_;
  chain_hash last_hash_{};
  timestamp last_time_{};
  std::uint64_t epoch_{};
  std::deque<queued_commit> queue_;
  std::size_t queue_bytes_{};
  std::unordered_map<stream_id, stream_version>
      last_queued_;  // of streams with queued commits, and others
  std::map<stream_id, std::map<std::uint64_t, kept_snapshot>> snapshots_;
  std::map<std::uint64_t, std::string> lost_;
  std::optional<journal_error> damage_;
  bool closed_{};
  bool sync_fails_{};
  bool failed_reach_disk_{};
  bool pumping_{};
  std::atomic<std::uint64_t> leadership_{1};
  bool touched_{};  // a bad disk may have changed what was verified before
  std::deque<unsynced_commit> unsynced_;
  completions completed_;  // to be delivered now
  followers followers_;
};

}  // namespace berth
