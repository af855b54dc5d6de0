// What a kafka_log does to lead partitions, and to know that it still does: its claims and contact
// threads.
#include <algorithm>
#include <random>

#include <spdlog/spdlog.h>

#include "infra/kafka/kafka_connection.hpp"
#include "infra/kafka/kafka_log_slot.hpp"

namespace berth {
namespace {

constexpr std::chrono::milliseconds claim_interval{20};
constexpr std::chrono::milliseconds end_wait{1'000};

std::uint64_t random_nonce() {
  thread_local std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

}  // namespace

void kafka_log::run_claims() {
  while (!stopping()) {
    claim_due();
    std::unique_lock lock{claims_mutex_};
    claims_changed_.wait_for(lock, claim_interval);
  }
}

void kafka_log::claim_due() {
  for (const auto& each : slots_) {
    const auto due = [&] {
      return each->wanted && each->member.now() == partition_member::role::following &&
             std::chrono::steady_clock::now() >= each->claim_after;
    };
    {
      const std::lock_guard lock{each->mutex};
      if (!due()) continue;
    }
    const auto begun = steady_ns();
    const auto end =
        connection_->end_of(each->partition, options_.shared ? end_wait / 5 : end_wait);
    if (stopping()) return;
    if (end.has_error()) {
      spdlog::warn("{}", end.error().message);
      const std::lock_guard lock{each->mutex};
      each->claim_after = std::chrono::steady_clock::now() + claim_backoff;  // others first
      continue;
    }
    std::unique_lock lock{each->mutex};
    if (!due()) continue;
    const auto now = std::chrono::steady_clock::now();
    each->claim_after = now + claim_backoff;
    const auto found = each->end_seen.look(*end, each->member.state().next_offset, now);
    if (found == short_log::finding::lost)
      return lock.unlock(), fail(log_is_shorter(each->member.state(), *end));
    if (found == short_log::finding::perhaps) continue;
    each->claimed_ns = begun;
    each->member.claim(*end, random_nonce());
    after(*each, lock);
  }
}

bool kafka_log::reads_up_to(partition_slot& of, std::uint64_t end, std::int64_t until_ns) {
  for (;;) {
    {
      const std::lock_guard lock{of.mutex};
      if (of.member.state().next_offset >= end) return true;
    }
    if (stopping() || steady_ns() >= until_ns) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

// Were they read to the ends that they had when this began? What was not served meanwhile is news.
bool kafka_log::prove_contact(const std::vector<partition_slot*>& of,
                              std::chrono::milliseconds wait) {
  std::vector<std::uint32_t> partitions;
  std::vector<std::uint64_t> read;
  for (auto* each : of) {
    partitions.push_back(each->partition);
    const std::lock_guard lock{each->mutex};
    read.push_back(each->member.state().next_offset);
  }
  const auto begun = steady_ns();
  const auto until_ns = begun + std::chrono::nanoseconds{wait}.count();
  const auto ends = connection_->ends_of(partitions, wait);
  bool all = true;
  for (std::size_t i = 0; i < of.size(); ++i) {
    // An end before what was read is of a broker that was stopped and does not know yet.
    const bool is_read = ends[i] && *ends[i] >= read[i] && reads_up_to(*of[i], *ends[i], until_ns);
    all = all && is_read;
    if (!is_read) continue;
    const bool rested = of[i]->leadership != 0 && leadership_of(of[i]->partition) == 0;
    of[i]->contact_ns = begun;
    if (rested && given_.news.began) given_.news.began(of[i]->partition);
  }
  return all;
}

// One after the other: a broker that does not answer may not keep the others' partitions waiting,
// so those it has come last, and only the first of them gets time.
bool kafka_log::prove_each(std::vector<partition_slot*> of, std::chrono::milliseconds wait) {
  constexpr std::chrono::milliseconds hasty{10};
  std::stable_partition(of.begin(), of.end(), [](const auto* each) { return !each->is_unheard; });
  // Another one of them first each time.
  const auto unheard =
      std::find_if(of.begin(), of.end(), [](auto* each) { return each->is_unheard; });
  if (unheard != of.end())
    std::rotate(unheard,
                unheard + static_cast<std::ptrdiff_t>(rounds_++ % std::size_t(of.end() - unheard)),
                of.end());
  bool all = true;
  for (auto* each : of) {
    each->is_unheard = !prove_contact({each}, all ? wait : hasty);
    all = all && !each->is_unheard;
  }
  return all;
}

// Every quarter of a session timeout, and at once again where it could not be proven: what was not
// for half of one (the process was stopped, or cut off) is not served until it is.
void kafka_log::run_contact() {
  const auto quarter = options_.session_timeout_ms / 4;
  bool together = true;  // one request a broker; it fails as a whole while one is silent
  while (!stopping()) {
    const auto due = steady_ns() - std::chrono::nanoseconds{quarter}.count();
    std::vector<partition_slot*> led;
    for (const auto& each : slots_)
      if (each->leadership.load() != 0 && each->contact_ns < due) led.push_back(each.get());
    if (!led.empty())
      together = together ? prove_contact(led, quarter / 2) : prove_each(led, quarter / 4);
    std::this_thread::sleep_for(claim_interval);
  }
}

bool kafka_log::wait_until_read(std::chrono::milliseconds deadline) {
  std::vector<partition_slot*> all;
  for (const auto& each : slots_) all.push_back(each.get());
  const bool is_read = prove_contact(all, deadline);
  if (!is_read) std::this_thread::sleep_for(claim_interval);
  return is_read;
}

std::uint64_t kafka_log::leadership_of(std::uint32_t partition) const {
  const auto& slot = *slots_.at(partition);
  const auto led = slot.leadership.load(std::memory_order_acquire);
  if (led == 0 || !options_.shared) return led;
  const std::chrono::nanoseconds silence_max = options_.session_timeout_ms / 2;
  return steady_ns() - slot.contact_ns > silence_max.count() ? 0 : led;
}

}  // namespace berth
