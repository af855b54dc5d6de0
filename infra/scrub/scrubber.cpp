#include "infra/scrub/scrubber.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "infra/bulk/check_output.hpp"

namespace berth {
namespace {

// Not SCHED_IDLE: what waits for a lock that the scrub holds would wait for an idle moment.
constexpr int scrub_niceness = 19;
constexpr int io_class_idle = 3 << 13;  // linux/ioprio.h
constexpr int io_of_process = 1;

}  // namespace

void scrub_round(const scrubbed& what, const read_pace& pace, const scrub_finding& found) {
  bool goes_on = true;
  const auto paced = [&](std::size_t bytes) { return goes_on = goes_on && pace(bytes); };
  if (what.engine) what.engine->scrub(paced, found);
  if (!goes_on) return;
  for (const auto& problem : check_output(what.log, what.bulk, paced).problems) found(problem);
}

scrubber::scrubber(const scrubbed& what, scrub_options options, scrub_finding found)
    : what_{what}, options_{options}, found_{std::move(found)} {
  thread_ = std::thread{[this] { run(); }};
}

scrubber::~scrubber() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool scrubber::pause(std::chrono::microseconds length) {
  std::unique_lock lock{mutex_};
  return !changed_.wait_for(lock, length, [&] { return stopping_; });
}

void scrubber::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), scrub_niceness);
  ::syscall(SYS_ioprio_set, io_of_process, 0, io_class_idle);
  auto rest = options_.before_first_round;
  while (pause(rest)) {
    bool goes_on = true;
    scrub_round(
        what_,
        [&](std::size_t bytes) {
          bytes_ += bytes;
          return goes_on = pause(
                     std::chrono::microseconds{bytes * 1'000'000 / options_.bytes_per_second_max});
        },
        [&](const journal_error& problem) {
          ++problems_;
          found_(problem);
        });
    if (goes_on) ++rounds_;
    rest = options_.between_rounds;
  }
}

}  // namespace berth
