// One partition of a kafka_log; included by its two sources only.
#pragma once

#include "infra/kafka/kafka_log.hpp"
#include "infra/kafka/short_log.hpp"

namespace berth {

inline constexpr std::chrono::milliseconds claim_backoff{200};  // after leadership was lost

inline std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

struct kafka_log::partition_slot {
  partition_slot(std::uint32_t number, partition_member made)
      : partition{number}, member{std::move(made)} {}

  const std::uint32_t partition;
  std::atomic<std::uint64_t> leadership{};  // 0: none
  std::atomic<std::int64_t> contact_ns{};   // when it was last known to be read to its end
  bool is_unheard{};  // its broker did not answer lately; the contact thread's own
  std::mutex mutex;   // guards all below
  std::uint64_t leaderships{};
  bool broken{};  // what was applied could not be kept: nothing is, any more
  partition_member member;
  std::vector<partition_member::outgoing> held;  // until what is under way was reported
  std::uint64_t under_way{};                     // records given to the library and not reported
  bool wanted{};
  std::chrono::steady_clock::time_point claim_after{};
  short_log end_seen;
  std::int64_t claimed_ns{};  // when its end was asked for, of the present claim
};

}  // namespace berth
