#include "infra/kafka/kafka_log.hpp"

#include <spdlog/spdlog.h>

#include "events/core/invariant.hpp"
#include "infra/kafka/kafka_connection.hpp"
#include "infra/kafka/kafka_log_slot.hpp"
#include "infra/kafka/kafka_topics.hpp"

namespace berth {
namespace {

constexpr std::chrono::milliseconds poll_wait{100};
constexpr std::size_t records_a_turn = 512;

}  // namespace

kafka_log::kafka_log(kafka_options options, ports given)
    : options_{std::move(options)}, given_{std::move(given)} {
  partition_member::identity who{options_.node, options_.limits};
  for (std::uint32_t p = 0; p < options_.partitions; ++p)
    slots_.push_back(std::make_unique<partition_slot>(
        p, partition_member{who, given_.to.state(p), given_.time, given_.last_version}));
}

kafka_log::~kafka_log() {
  stop();
}

std::optional<journal_error> kafka_log::start() {
  auto opened = kafka::connection::open(options_, given_.with_sources);
  if (opened.has_error()) return opened.error();
  connection_ = std::move(*opened);
  std::vector<std::uint64_t> offsets;
  for (const auto& each : slots_) offsets.push_back(each->member.state().next_offset);
  if (auto failed = connection_->assign(offsets)) return failed;
  reports_ = std::thread{[this] { run_reports(); }};
  reader_ = std::thread{[this] { run_reader(); }};
  claims_ = std::thread{[this] { run_claims(); }};
  if (options_.shared) contact_ = std::thread{[this] { run_contact(); }};
  return std::nullopt;
}

void kafka_log::stop() {
  closed_ = true;
  const auto deadline = std::chrono::steady_clock::now() + options_.delivery_timeout_ms;
  for (const auto& each : slots_) {
    std::unique_lock lock{each->mutex};
    each->wanted = false;
    while (each->member.unanswered() > 0 && !stopping() &&
           std::chrono::steady_clock::now() < deadline) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      lock.lock();
    }
  }
  stopping_ = true;
  claims_changed_.notify_all();
  if (connection_) connection_->wake_reports();
  for (auto* each : {&reports_, &reader_, &claims_, &contact_})
    if (each->joinable()) each->join();
  for (const auto& each : slots_) {
    std::unique_lock lock{each->mutex};
    each->member.resign("this node stops");
    after(*each, lock);
  }
  connection_.reset();
}

void kafka_log::want(std::uint32_t partition, bool wanted) {
  auto& slot = *slots_.at(partition);
  std::unique_lock lock{slot.mutex};
  if (std::exchange(slot.wanted, wanted) == wanted) return;
  if (!wanted && slot.member.now() != partition_member::role::following) {
    slot.member.resign("another node should lead it");
    after(slot, lock);
    return;
  }
  claims_changed_.notify_all();
}

void kafka_log::hand_over(std::uint32_t partition) {
  auto& slot = *slots_.at(partition);
  const std::lock_guard lock{slot.mutex};
  slot.wanted = false;
}

bool kafka_log::wait_until_leading(std::chrono::milliseconds deadline, std::string* why) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  for (const auto& each : slots_) {
    for (;;) {
      {
        const std::lock_guard lock{each->mutex};
        if (!each->wanted || each->member.now() == partition_member::role::leading) break;
        if (stopping() || std::chrono::steady_clock::now() >= until) {
          if (why)
            *why = "partition " + std::to_string(each->partition) + " is " +
                   name_of(each->member.now()) + ": " + each->member.why_not_leading();
          return false;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
  }
  return true;
}

std::optional<journal_error> kafka_log::append(std::uint32_t partition, const commit_body& body,
                                               std::uint64_t ticket,
                                               std::shared_ptr<append_listener> listener,
                                               const copied_from* copy) {
  if (closed_) return journal_error{journal_errc::closed, "journal is closing", std::nullopt};
  auto& slot = *slots_.at(partition);
  std::unique_lock lock{slot.mutex};
  auto refused = slot.member.append(body, ticket, std::move(listener), copy);
  if (refused) return refused;
  settle(slot, lock);
  const std::lock_guard delivering{delivering_};
  if (!to_deliver_.empty()) connection_->wake_reports();
  return std::nullopt;
}

// One batch of a partition at a time: what comes meanwhile is the next one. More of them would be
// more requests for the brokers, and librdkafka 2.0 spins while it has records and may not send
// (its five requests a broker are under way).
void kafka_log::produce(partition_slot& of) {
  for (auto& each : of.member.take_outgoing()) of.held.push_back(std::move(each));
  if (of.member.now() == partition_member::role::following) of.held.clear();
  if (of.under_way > 0) return;
  for (const auto& each : std::exchange(of.held, {})) {
    if (connection_ && connection_->produce(of.partition, each)) {
      ++of.under_way;
      continue;
    }
    of.member.resign("a record could not be queued");
    break;
  }
}

// Takes what the member has to say: records to Kafka, what was applied to the sink, answers to who
// waits, to be delivered. Releases the lock.
void kafka_log::settle(partition_slot& of, std::unique_lock<std::mutex>& lock) {
  produce(of);
  auto done = of.member.take_done();
  if (of.broken) return lock.unlock();
  const auto failed = done.moved ? given_.to.keep(of.member.state(), done.applied) : std::nullopt;
  const auto& damage = failed ? failed : of.member.damage();
  if (damage) {
    of.broken = true;
    of.leadership = 0;
    const auto why = *damage;
    lock.unlock();
    return fail(why);
  }
  commits_total_ += done.applied.size();
  const auto led_before = of.leadership.load();
  const bool begins = note_leadership(of);
  const bool ends = led_before != 0 && of.leadership == 0;
  const auto rival = of.member.take_rival();
  if (!done.answers.empty() || !done.applied.empty()) {
    const std::lock_guard delivering{delivering_};
    to_deliver_.push_back({std::move(done.answers), {of.partition, of.member.state().sequence}});
  }
  const bool wanted = of.wanted;
  lock.unlock();
  if (begins && given_.news.began) given_.news.began(of.partition);
  if (ends && given_.news.ended) given_.news.ended(of.partition);
  if (rival && wanted && *rival != options_.node && given_.news.taken_over)
    given_.news.taken_over(of.partition, *rival);
}

// Before answers are delivered: who reads the state anew then must not take it for the old one.
// True: it begins.
bool kafka_log::note_leadership(partition_slot& of) {
  const bool leads = of.member.now() == partition_member::role::leading;
  const bool begins = leads && of.leadership == 0;
  if (begins) {
    of.contact_ns = of.claimed_ns;  // its own announcement lies behind that end
    of.leadership = ++of.leaderships;
  }
  if (leads) return begins;
  if (of.leadership.exchange(0) != 0)
    of.claim_after = std::chrono::steady_clock::now() + claim_backoff;
  return false;
}

void kafka_log::after(partition_slot& of, std::unique_lock<std::mutex>& lock) {
  settle(of, lock);
  deliver();
}

void kafka_log::deliver() {
  std::unique_lock lock{delivering_};
  if (is_delivering_) return;
  is_delivering_ = true;
  while (!to_deliver_.empty()) {
    auto ready = std::exchange(to_deliver_, {});
    lock.unlock();
    for (auto& each : ready) {
      each.answers.deliver();
      given_.to.moved(each.head);
    }
    lock.lock();
  }
  is_delivering_ = false;
}

void kafka_log::fail(const journal_error& why) {
  std::call_once(failed_, [&] {
    closed_ = true;
    stopping_ = true;
    BERTH_ASSERT(given_.on_fatal);
    given_.on_fatal(why);
  });
}

void kafka_log::run_reports() {
  while (!stopping()) {
    bool ended = false;
    const auto reports = connection_->poll_reports(poll_wait, ended);
    deliver();
    for (std::size_t i = 0; i < reports.size();) {
      auto& slot = *slots_.at(reports[i].partition);
      std::unique_lock lock{slot.mutex};
      for (; i < reports.size() && reports[i].partition == slot.partition; ++i) {
        slot.under_way -= slot.under_way > 0 ? 1 : 0;
        slot.member.reported(reports[i].number, reports[i].what, reports[i].offset);
      }
      after(slot, lock);
    }
    if (!ended) continue;
    for (const auto& each : slots_) {
      std::unique_lock lock{each->mutex};
      each->under_way = 0;  // nobody will tell of them
      if (each->member.now() == partition_member::role::following) continue;
      each->member.resign("the producer ended");
      after(*each, lock);
    }
    if (auto failed = connection_->renew_producer()) return fail(*failed);
  }
}

void kafka_log::run_reader() {
  while (!stopping()) {
    partition_slot* slot = nullptr;
    std::unique_lock<std::mutex> lock;
    std::optional<journal_error> failed;
    const auto take = [&](const kafka::connection::record& got) {
      if (!slot || slot->partition != got.partition) {
        if (slot) after(*slot, lock);
        slot = slots_.at(got.partition).get();
        lock = std::unique_lock{slot->mutex};
      }
      failed = slot->member.fetched(got.offset, got.bytes, got.source);
    };
    auto wait = poll_wait;
    for (std::size_t n = 0; n < records_a_turn && !failed; ++n) {
      bool found = false;
      if (auto lost = connection_->poll_record(wait, found, take)) failed = lost;
      if (!found) break;
      wait = std::chrono::milliseconds{0};
    }
    if (slot && lock.owns_lock()) after(*slot, lock);
    if (failed) return fail(*failed);
  }
}

journal_result<std::uint64_t> kafka_log::end_of(std::uint32_t partition) const {
  return connection_->end_of(partition, options_.request_timeout_ms);
}

kafka_log::partition_stats kafka_log::stats(std::uint32_t partition) const {
  auto& slot = *slots_.at(partition);
  const std::lock_guard lock{slot.mutex};
  const auto& member = slot.member;
  return {member.now(),
          member.state().leader,
          member.state().sequence,
          member.state().next_offset,
          connection_ ? connection_->last_heard_end(partition) : 0,
          member.unanswered(),
          member.why_not_leading(),
          member.verdicts()};
}

}  // namespace berth
