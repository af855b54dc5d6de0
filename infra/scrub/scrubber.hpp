// The background scrub (promise 10): reads all there is on the disk again, slowly, so that a
// flipped bit is found while there is still a copy to restore it from, and not by who needs it.
//
//   a round:  records of log/, each with its chain link -> write-ahead logs -> every byte of every
//             table file -> every byte of every terminal's output        then a rest
//
// Damage of the log or of output is told and served as ever: whoever reads it gets `corrupt`.
// Damage of state/ ends the process as it does on read; the next start rebuilds it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "actors/ports/bulk_log.hpp"
#include "infra/rocksdb/embedded_engine.hpp"

namespace berth {

struct scrub_options {
  std::size_t bytes_per_second_max = 8 << 20;
  std::chrono::seconds before_first_round{60};  // a start has better things to do
  std::chrono::seconds between_rounds{6 * 3600};
};

using scrub_finding = std::function<void(const journal_error&)>;

// One round in the caller's thread. `pace` is told how many bytes were read, may sleep, and ends
// the round by returning false.
struct scrubbed {
  const journal& log;
  bulk_log& bulk;
  embedded_engine* engine{};  // nothing: the log is elsewhere (Kafka), and checks itself
};
void scrub_round(const scrubbed& what, const read_pace& pace, const scrub_finding& found);

class scrubber {
 public:
  // `found` is called on the scrubber's thread. All of `what` outlives the scrubber.
  scrubber(const scrubbed& what, scrub_options options, scrub_finding found);
  ~scrubber();
  scrubber(const scrubber&) = delete;
  scrubber& operator=(const scrubber&) = delete;

  std::uint64_t rounds() const { return rounds_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t problems() const { return problems_; }

 private:
  void run();
  bool pause(std::chrono::microseconds length);  // false: it ends

  const scrubbed what_;
  const scrub_options options_;
  const scrub_finding found_;
  std::atomic<std::uint64_t> rounds_{}, bytes_{}, problems_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace berth
