// Every partition of a commits topic, moved between Kafka and a partition_member each: what is
// appended is produced, what the topic has is fetched, and what was applied is given to a sink.
//
//   append ─┐ (caller's thread)          ┌─ reports thread: delivery reports, in groups
//           ├─> partition (its lock) <───┤
//           │        │                   ├─ reader thread: the topic, from where the sink had been
//           │        v                   └─ claims thread: leads what it should and does not
//           │                            └─ contact thread: has it read all that it leads?
//           │   sink: keep what was applied, in one write; then answers, then followers
//
// Threads: any. Answers are delivered in order, by whichever thread has some, one at a time, and
// may append again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "infra/kafka/kafka_options.hpp"
#include "infra/kafka/partition_member.hpp"

namespace berth {

namespace kafka {
class connection;
}

// What happens to this node's leadership of partitions it wants; told on a thread of the log. Any
// may be empty.
struct leadership_news {
  std::function<void(std::uint32_t partition)> began{};
  std::function<void(std::uint32_t partition)> ended{};
  // Another node leads it; it is claimed again.
  std::function<void(std::uint32_t partition, const std::string& node)> taken_over{};
};

class kafka_log {
 public:
  class sink {
   public:
    virtual ~sink() = default;
    // Where the partition was read up to when it was last kept.
    virtual partition_state state(std::uint32_t partition) const = 0;
    // Keeps what was applied, and the place, in one write. Under the partition's lock.
    virtual std::optional<journal_error> keep(const partition_state& at,
                                              std::span<const applied_commit> applied) = 0;
    // After the answers of what was kept were delivered.
    virtual void moved(position head) = 0;
  };
  struct ports {
    sink& to;
    const clock& time;
    version_of_stream last_version;  // empty: versions are not looked at
    bool with_sources{};             // applied commits say where they were copied from
    // Called once, on a thread of the log: what is kept cannot be written or read on. Nothing is
    // applied after it.
    std::function<void(const journal_error&)> on_fatal;
    leadership_news news{};
  };

  kafka_log(kafka_options options, ports given);
  ~kafka_log();
  kafka_log(const kafka_log&) = delete;

  // Connects and follows every partition from where the sink was; leads none. `io` if no broker
  // answers, `not_found` or `conflict` if the topic is missing or has another number of partitions.
  std::optional<journal_error> start();
  // Nothing is appended any more; waits for what is unanswered, at most as long as a delivery may
  // take.
  void stop();

  // Whether this node should lead a partition, from now on. Leadership that is lost is claimed
  // again while it is wanted.
  void want(std::uint32_t partition, bool wanted);
  // Wants it no longer, and leads it until the node that does has announced itself: a planned move.
  void hand_over(std::uint32_t partition);
  // False after the deadline; `why` says what is missing.
  bool wait_until_leading(std::chrono::milliseconds deadline, std::string* why = nullptr);

  std::optional<journal_error> append(std::uint32_t partition, const commit_body& body,
                                      std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener,
                                      const copied_from* copy = nullptr);

  // As of journal::leadership_of. Never blocks. 0 also while this node, one of several, has not
  // proven for half its session timeout that it has read all there is: others may lead by then.
  std::uint64_t leadership_of(std::uint32_t partition) const;
  // Whether every partition was read to the end that it had when this was called; asks the brokers.
  bool wait_until_read(std::chrono::milliseconds deadline);

  struct partition_stats {
    partition_member::role role{};
    leadership leader;  // of the log, whoever it is
    std::uint64_t sequence{};
    std::uint64_t next_offset{};
    std::uint64_t end_offset{};  // of the log, as last heard; 0 = not heard yet
    std::uint64_t unanswered{};
    std::string why_not_leading;
    std::array<std::uint64_t, verdict_count> verdicts{};
  };
  partition_stats stats(std::uint32_t partition) const;
  // One past the topic's last record; asks the brokers, and waits for them.
  journal_result<std::uint64_t> end_of(std::uint32_t partition) const;
  std::uint32_t partitions() const { return options_.partitions; }
  std::uint64_t commits_total() const { return commits_total_; }

 private:
  struct partition_slot;

  void run_reports();
  void run_reader();
  void run_claims();
  void claim_due();
  void run_contact();
  bool prove_each(std::vector<partition_slot*> of, std::chrono::milliseconds wait);
  bool prove_contact(const std::vector<partition_slot*>& of, std::chrono::milliseconds wait);
  bool reads_up_to(partition_slot& of, std::uint64_t end, std::int64_t until_ns);
  bool note_leadership(partition_slot& of);
  void settle(partition_slot& of, std::unique_lock<std::mutex>& lock);
  void after(partition_slot& of, std::unique_lock<std::mutex>& lock);
  void produce(partition_slot& of);
  void deliver();
  void fail(const journal_error& why);
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

  const kafka_options options_;
  const ports given_;
  std::unique_ptr<kafka::connection> connection_;
  std::vector<std::unique_ptr<partition_slot>> slots_;

  struct delivery {
    completions answers;
    position head;
  };
  std::mutex delivering_;  // guards the two below, not held while delivering
  std::vector<delivery> to_deliver_;
  bool is_delivering_{};

  std::mutex claims_mutex_;
  std::condition_variable claims_changed_;
  std::atomic<bool> stopping_{};
  std::atomic<bool> closed_{};
  std::once_flag failed_;
  std::atomic<std::uint64_t> commits_total_{};
  std::size_t rounds_{};  // of prove_each
  std::thread reports_, reader_, claims_, contact_;
};

}  // namespace berth
