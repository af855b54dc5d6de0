#include "infra/kafka/partition_member.hpp"

#include <algorithm>

#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"
#include "infra/memory/commit_record.hpp"

namespace berth {
namespace {

std::string place(std::uint32_t partition) {
  return "partition " + std::to_string(partition);
}

bool only_the_leader_writes(verdict what) {
  return what == verdict::repeated || what == verdict::out_of_order ||
         what == verdict::wrong_version;
}

}  // namespace

partition_member::partition_member(identity who, const partition_state& at, const clock& time,
                                   version_of_stream last_version)
    : who_{std::move(who)}, time_{time}, last_version_{std::move(last_version)}, state_{at} {}

version_of_stream partition_member::version_behind_applied() {
  if (!last_version_) return {};
  return [this](const stream_id& stream) -> journal_result<stream_version> {
    if (const auto found = applied_.find(stream); found != applied_.end()) return found->second;
    auto last = last_version_(stream);
    if (last.has_value()) applied_[stream] = *last;
    return last;
  };
}

std::optional<journal_error> partition_member::fetched(std::uint64_t offset,
                                                       std::string_view record,
                                                       const std::string& source) {
  if (offset < state_.next_offset) return std::nullopt;
  auto judged = judge(state_, record, offset, version_behind_applied());
  if (judged.has_error()) return judged.error();
  done_.moved = true;
  ++verdicts_[static_cast<std::size_t>(judged->what)];
  if (judged->applied) {
    const auto sequence = judged->applied->envelope.sequence;
    const bool own = role_ == role::leading && leadership{judged->applied->envelope.epoch,
                                                          judged->applied->envelope.nonce} == mine_;
    take_applied(std::move(*judged->applied), std::string{record}, source);
    if (own) {
      BERTH_ASSERT(!inflight_.empty() && inflight_.front().sequence == sequence);
      complete_front();
    }
  } else if (judged->what == verdict::lead_taken) {
    // Before it is read to the end, leaders are history.
    const bool is_rival = role_ == role::claiming || role_ == role::leading;
    if (role_ == role::claiming && judged->taken->announced() == mine_) {
      begin_to_lead();
    } else if (is_rival) {
      rival_ = judged->taken->node;
      resign("node " + judged->taken->node + " leads it with epoch " +
             std::to_string(judged->taken->envelope.epoch));
    }
  } else if (judged->what == verdict::void_lead) {
    if (role_ == role::claiming && judged->taken->announced() == mine_)
      resign("another node was first to announce epoch " + std::to_string(mine_.epoch));
  } else if (only_the_leader_writes(judged->what) && role_ == role::leading) {
    resign(std::string{"one of its own records was "} + name_of(judged->what));
  }
  if (role_ == role::catching_up && state_.next_offset >= claim_end_) announce();
  return std::nullopt;
}

void partition_member::take_applied(commit&& happened, std::string record, std::string source) {
  if (last_version_) applied_[happened.body.stream] = happened.body.last();
  done_.applied.push_back({std::move(happened), std::move(record), std::move(source)});
}

void partition_member::claim(std::uint64_t end, std::uint64_t nonce) {
  BERTH_ASSERT(role_ == role::following);
  role_ = role::catching_up;
  why_ = "it is read to its end first";
  mine_ = {0, nonce};
  claim_end_ = end;
  if (state_.next_offset >= claim_end_) announce();
}

void partition_member::announce() {
  role_ = role::claiming;
  why_ = "its announcement is not read back yet";
  mine_.epoch = state_.leader.epoch + 1;
  claim_number_ = next_number_++;
  const commit_envelope envelope{state_.partition,
                                 mine_.epoch,
                                 mine_.nonce,
                                 state_.sequence,
                                 std::max(time_.now(), state_.time),
                                 state_.hash};
  outgoing_.push_back({claim_number_, {}, seal_lead(envelope, who_.node), {}});
}

void partition_member::begin_to_lead() {
  role_ = role::leading;
  why_.clear();
  last_queued_ = state_.sequence;
  last_hash_ = state_.hash;
  last_time_ = state_.time;
  known_.clear();
  BERTH_ASSERT(inflight_.empty());
}

std::optional<journal_error> partition_member::refuse_load() const {
  if (role_ != role::leading)
    return journal_error{journal_errc::closed,
                         place(state_.partition) + " is not led by this node: " + why_,
                         std::nullopt};
  if (inflight_.size() >= who_.limits.queue_commits_max ||
      inflight_bytes_ >= who_.limits.queue_bytes_max)
    return journal_error{journal_errc::overloaded,
                         place(state_.partition) + ": " + std::to_string(inflight_.size()) +
                             " commits wait to be written",
                         std::nullopt};
  return std::nullopt;
}

void partition_member::forget_streams() {
  // What is in flight is known by nobody else; the rest is asked for again.
  std::unordered_map<stream_id, stream_version> kept;
  for (const auto& each : inflight_) {
    const auto opened = open_record(each.record, {state_.partition, each.sequence});
    BERTH_ASSERT(opened.has_value());
    const auto body = decode_body(opened->body_bytes);
    BERTH_ASSERT(body.has_value());
    kept[body->stream] = body->last();
  }
  known_ = std::move(kept);
}

journal_result<stream_version> partition_member::next_version(const stream_id& stream) {
  if (const auto found = known_.find(stream); found != known_.end())
    return stream_version{found->second.value + 1};
  const auto last_version = version_behind_applied();
  BERTH_ASSERT(last_version);
  const auto last = last_version(stream);
  if (last.has_error()) return last.error();
  if (known_.size() >= who_.known_streams_max && known_.size() > 2 * inflight_.size())
    forget_streams();
  known_[stream] = *last;
  return stream_version{last->value + 1};
}

std::optional<journal_error> partition_member::append(const commit_body& body, std::uint64_t ticket,
                                                      std::shared_ptr<append_listener> listener,
                                                      const copied_from* copy) {
  const auto body_bytes = encode_body(body);
  const auto bytes = commit_envelope::size + body_bytes.size();
  if (bytes > commit_bytes_max) return too_large_of(body, bytes);
  if (auto refused = refuse_load()) return refused;
  if (last_version_) {
    const auto next = next_version(body.stream);
    if (next.has_error()) return next.error();
    if (body.first != *next) return conflict_of(body, *next);
    known_[body.stream] = body.last();
  }
  last_time_ = std::max(copy ? copy->time : time_.now(), last_time_);
  auto sealed =
      seal({state_.partition, mine_.epoch, mine_.nonce, ++last_queued_, last_time_, last_hash_},
           body_bytes);
  last_hash_ = sealed.hash;
  const auto number = next_number_++;
  inflight_bytes_ += sealed.bytes.size();
  auto source = copy ? copy->source : std::string{};
  outgoing_.push_back({number, body.stream.text(), sealed.bytes, source});
  inflight_.push_back({number, ticket, body.last(), last_queued_, std::move(sealed.bytes),
                       std::move(source), std::move(listener), false});
  return std::nullopt;
}

void partition_member::reported(std::uint64_t number, report what,
                                std::optional<std::uint64_t> offset) {
  if (role_ == role::claiming && number == claim_number_) {
    if (what == report::failed) return resign("its announcement could not be written");
    if (BERTH_MUTANT(lead_not_read_back) && offset) {
      state_.leader = mine_;
      state_.next_offset = *offset + 1;
      begin_to_lead();
    }
    return;
  }
  if (role_ != role::leading || inflight_.empty() || number < inflight_.front().number) return;
  if (what == report::failed) return resign("a record was not written, or perhaps it was");
  auto& oldest = inflight_.front();
  if (BERTH_MUTANT(ack_without_contiguity)) answer(oldest);
  // What is there was judged, and was another record: the log was cut and written on.
  if (offset && *offset < state_.next_offset && !damage_)
    damage_ = journal_error{journal_errc::data_loss,
                            place(state_.partition) + ": a record was written at offset " +
                                std::to_string(*offset) + ", which was read before with another: " +
                                "the brokers lost records that they had acknowledged",
                            position{state_.partition, state_.sequence}};
  if (number != oldest.number || !offset || *offset != state_.next_offset) return;
  auto judged = judge(state_, oldest.record, *offset, version_behind_applied());
  if (judged.has_error()) return;  // it will be read back, and then told of
  done_.moved = true;
  ++verdicts_[static_cast<std::size_t>(judged->what)];
  if (!judged->applied)
    return resign(std::string{"one of its own records was "} + name_of(judged->what));
  take_applied(std::move(*judged->applied), oldest.record, oldest.source);
  complete_front();
}

void partition_member::answer(inflight& what) {
  if (std::exchange(what.answered, true)) return;
  done_.answers.add(std::move(what.listener),
                    {what.ticket, what.last, {state_.partition, what.sequence}, std::nullopt});
}

void partition_member::complete_front() {
  auto& oldest = inflight_.front();
  answer(oldest);
  inflight_bytes_ -= oldest.record.size();
  inflight_.pop_front();
}

void partition_member::resign(const std::string& why) {
  role_ = role::following;
  why_ = why;
  outgoing_.clear();
  known_.clear();
  const journal_error unknown{journal_errc::unknown_outcome,
                              place(state_.partition) + ": leadership ended: " + why, std::nullopt};
  for (auto& lost : inflight_)
    if (!lost.answered)
      done_.answers.add(std::move(lost.listener), {lost.ticket, lost.last, {}, unknown});
  inflight_.clear();
  inflight_bytes_ = 0;
}

partition_member::done partition_member::take_done() {
  if (applied_.size() > who_.known_streams_max) applied_.clear();
  return std::exchange(done_, {});
}

journal_error log_is_shorter(const partition_state& known, std::uint64_t end) {
  return {journal_errc::data_loss,
          "kafka: partition " + std::to_string(known.partition) + " ends at offset " +
              std::to_string(end) + ", this node has read up to offset " +
              std::to_string(known.next_offset) +
              ": the brokers lost records that they had acknowledged, or the topic was made anew",
          position{known.partition, known.sequence}};
}

const char* name_of(partition_member::role what) {
  switch (what) {
    case partition_member::role::following:
      return "following";
    case partition_member::role::catching_up:
      return "catching_up";
    case partition_member::role::claiming:
      return "claiming";
    case partition_member::role::leading:
      return "leading";
  }
  return "unknown";
}

}  // namespace berth
