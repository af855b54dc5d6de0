#include "tests/sim/checker.hpp"

#include "events/core/checksum.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t walk_commits = 512;
constexpr std::chrono::hours deduplication_window{24};  // DESIGN promise 3

std::string name_of(const operation& op) {
  return "command " + std::to_string(op.number) + " (" + op.id.text() + ", " + op.stream.text() +
         ")";
}

// Refusals that say nothing about the stream.
bool is_about_load(rejection_code code) {
  return code == rejection_code::overloaded || code == rejection_code::unknown_outcome ||
         code == rejection_code::unavailable;
}

}  // namespace

template <>
auto& checker::streams<account::aggregate>() {
  return accounts_;
}
template <>
auto& checker::streams<session::aggregate>() {
  return sessions_;
}
template <>
auto& checker::streams<environment::aggregate>() {
  return environments_;
}
template <>
auto& checker::streams<terminal::aggregate>() {
  return terminals_;
}

operation& checker::add(operation fresh) {
  fresh.number = operations_.size() + 1;
  fresh.seen = acknowledged(fresh.stream);
  auto& kept = operations_.emplace_back(std::move(fresh));
  by_id_.emplace(kept.id, &kept);
  return kept;
}

stream_version checker::acknowledged(const stream_id& stream) const {
  const auto at = acknowledged_.find(stream);
  return at == acknowledged_.end() ? stream_version{} : at->second;
}

template <class A>
void checker::accepted(operation& of, const answer<A>& told) {
  ++checks_;
  ++of.answers;
  if (!is_durable(told.at)) return fail(name_of(of) + " was acknowledged before it was durable");
  if (of.is_foreign) return fail(name_of(of) + " of another tenant was accepted");
  if (of.sends == 1 && told.replayed) return fail(name_of(of) + " was called a retry");
  // The second half of a creation is Berth's own command: after its window it is answered anew.
  const bool is_whole = of.how == operation::way::plain;
  if (is_whole && of.accepted_at && *of.accepted_at != told.version)
    return fail(name_of(of) + " was answered with version " + std::to_string(told.version.value) +
                ", before it was " + std::to_string(of.accepted_at->value));
  of.accepted_at = told.version;
  stream_id stream{A::kind, of.stream.key};
  if (of.how == operation::way::creates_environment)
    stream.key = std::get<account::request_environment>(std::get<account::command>(of.what))
                     .environment.value;
  auto& acknowledged = acknowledged_[stream];
  acknowledged = std::max(acknowledged, told.version);
  later([this, &of, stream = std::move(stream), version = told.version, state = told.state] {
    check_accepted(of, version);
    check_state<A>(stream, {}, version, state);
  });
}

void checker::accepted(operation& of, const exec_answer& told) {
  ++checks_;
  ++of.answers;
  if (!is_durable(told.at)) return fail(name_of(of) + " was acknowledged before it was durable");
  if (of.is_foreign) return fail(name_of(of) + " of another tenant was accepted");
  auto& acknowledged = acknowledged_[of.stream];
  acknowledged = std::max(acknowledged, told.version);
  later([this, &of, version = told.version, result = told.result] {
    const auto& asked = std::get<environment::exec>(std::get<environment::command>(of.what));
    const auto end = exec_ends_.find(asked.id.value);
    if (end == exec_ends_.end() || end->second.first != version || end->second.second != result)
      fail(name_of(of) + " was told an end that is not recorded");
    else if (result.stdout_bytes != asked.command.back())
      fail(name_of(of) + " was told another exec's output");
  });
}

// An accepted command is in the log, once, where its answer says.
void checker::check_accepted(const operation& of, stream_version version) {
  const auto found = found_.find({of.by, of.id});
  if (found == found_.end()) return fail(name_of(of) + " was acknowledged and is lost");
  if (found->second.stream != of.stream) return fail(name_of(of) + " is in another stream");
  if (of.how == operation::way::plain && found->second.last != version)
    fail(name_of(of) + " was answered with version " + std::to_string(version.value) +
         ", it wrote up to " + std::to_string(found->second.last.value));
  if (found->second.last < of.seen)
    fail(name_of(of) + " stands before what was acknowledged when it was asked");
}

void checker::refused(operation& of, const attempt& in, const rejection& why) {
  ++checks_;
  if (is_about_load(why.code)) return;
  ++of.answers;
  if (why.code == rejection_code::quarantined)
    return fail(name_of(of) + " met a quarantined stream: " + why.message);
  if (of.is_foreign) {
    // An old id is refused before anybody looks whose stream it is, if there is none yet.
    if (why.code != rejection_code::not_found && why.code != rejection_code::command_too_old)
      fail(name_of(of) + " of another tenant got " + berth::name_of(why.code));
    return;
  }
  if (why.code == rejection_code::idempotency_conflict) {
    // What it wrote cannot be read: it is not executed again, that is all that can be said.
    if (!is_damaged_ && !in.is_damaged && in.damages == damages_)
      fail(name_of(of) + " was called a conflict with itself");
    return;
  }
  const auto durable = log_.head().offset;
  if (why.code == rejection_code::command_too_old) {
    // Never executed from now on.
    return later([this, &of, durable] {
      const auto found = found_.find({of.by, of.id});
      if (found != found_.end() && found->second.offset > durable)
        fail(name_of(of) + " was called too old and was executed");
    });
  }
  if (of.how != operation::way::plain && of.accepted_at) return;  // of its second half
  later([this, &of, in, code = why.code, durable] {
    std::visit(
        [&](const auto& command) {
          using command_type = std::decay_t<decltype(command)>;
          if constexpr (std::is_same_v<command_type, account::command>)
            check_refusal<account::aggregate>(of, in, code, durable, last_time_);
          else if constexpr (std::is_same_v<command_type, session::command>)
            check_refusal<session::aggregate>(of, in, code, durable, last_time_);
          else if constexpr (std::is_same_v<command_type, environment::command>)
            check_refusal<environment::aggregate>(of, in, code, durable, last_time_);
          else
            check_refusal<terminal::aggregate>(of, in, code, durable, last_time_);
        },
        of.what);
  });
}

template <class A>
void checker::check_refusal(const operation& of, const attempt& in, rejection_code code,
                            std::uint64_t durable, timestamp at) {
  const auto& stream = streams<A>()[of.stream.key];
  std::uint64_t upto = 0;
  for (const auto& [offset, version] : stream.at)
    if (offset <= durable) upto = version;
  // A refusal is not recorded: another try of the same command may be accepted later, not before.
  if (const auto found = found_.find({of.by, of.id}); found != found_.end()) {
    if (found->second.offset <= in.durable) {
      // Its second half may be refused (a created environment that is deleted by now).
      if (of.how == operation::way::plain)
        fail(name_of(of) + " was executed and then refused: " + berth::name_of(code));
      return;
    }
    if (of.how == operation::way::plain) upto = std::min(upto, found->second.first.value - 1);
  }
  for (auto version = in.seen.value; version <= upto && version < stream.states.size(); ++version) {
    const auto& state = stream.states[version];
    if (!state) continue;
    if (code == rejection_code::precondition_failed) {
      if (of.if_match && of.if_match->value != version) return;
      continue;
    }
    const auto judged = judge(*state, std::get<typename A::command>(of.what), at);
    const auto* refusal = std::get_if<rejection_code>(&judged);
    if (refusal != nullptr && *refusal == code) return;
  }
  fail(name_of(of) + " was refused " + berth::name_of(code) + ", which is wrong at versions " +
       std::to_string(in.seen.value) + " to " + std::to_string(upto));
}

template <class A>
void checker::told(const stream_id& stream, stream_version seen, const answer<A>& answer) {
  ++checks_;
  auto& acknowledged = acknowledged_[stream];
  acknowledged = std::max(acknowledged, answer.version);
  if (!is_durable(answer.at)) return fail(stream.text() + " was read before it was durable");
  later([this, stream, seen, version = answer.version, state = answer.state] {
    check_state<A>(stream, seen, version, state);
  });
}

template <class A>
void checker::check_state(const stream_id& id, stream_version seen, stream_version version,
                          const std::shared_ptr<const typename A::state>& state) {
  ++checks_;
  const auto& stream = streams<A>()[id.key];
  const auto where = id.text() + " at version " + std::to_string(version.value);
  if (version < seen)
    return fail(where + " was told when version " + std::to_string(seen.value) + " was known");
  if (version.value >= stream.states.size() || !stream.states[version.value])
    return fail(where + " was told, and is not in the log");
  if (const auto wrong = differs(*stream.states[version.value], *state))
    fail(where + " was told with a wrong state: " + *wrong);
}

template <class A>
void checker::read_events(const commit& happened) {
  std::vector<typename A::event> events;
  events.reserve(happened.body.events.size());
  for (const auto& record : happened.body.events) {
    auto event = A::decode(record);
    if (!event) return fail(happened.body.stream.text() + " holds an event that cannot be read");
    events.push_back(std::move(*event));
  }
  follow_commit<A>(happened, std::move(events));
}

template <class A>
void checker::follow_commit(const commit& happened, std::vector<typename A::event> events) {
  const auto& body = happened.body;
  auto& stream = streams<A>()[body.stream.key];
  if (body.first.value != stream.states.size())
    return fail("versions of " + body.stream.text() + " have a gap");
  const auto asked = by_id_.find(body.command);
  if (!body.by.is_system && asked != by_id_.end() && asked->second->stream == body.stream) {
    const auto& op = *asked->second;
    if (op.is_foreign) return fail(name_of(op) + " of another tenant was executed");
    if (op.if_match && op.if_match->value + 1 != body.first.value)
      fail(name_of(op) + " was executed against its precondition");
    const auto judged = judge(stream.now, std::get<typename A::command>(op.what), body.asked_at);
    const auto* expected = std::get_if<std::vector<typename A::event>>(&judged);
    if (expected == nullptr)
      return fail(name_of(op) + " was executed and had to be refused " +
                  berth::name_of(std::get<rejection_code>(judged)));
    auto got = events;
    if constexpr (std::is_same_v<A, environment::aggregate>) forget_texts(got);
    if (got != *expected) fail(name_of(op) + " caused other events than it had to");
  }
  if constexpr (std::is_same_v<A, environment::aggregate>) {
    if (!events.empty()) check_deadline(stream.now, body);
  }
  for (const auto& event : events) {
    if (const auto illegal = follow(stream.now, event))
      fail(body.stream.text() + " version " + std::to_string(body.first.value) + ": " + *illegal);
    if constexpr (std::is_same_v<A, environment::aggregate>) {
      if (std::holds_alternative<environment::lost>(event)) ++losses_[body.stream.key];
      if (const auto* end = std::get_if<environment::exec_finished>(&event))
        exec_ends_[end->exec.value] = {body.last(), *end};
    }
  }
  if (events.empty()) return;
  stream.states.resize(body.last().value);
  stream.states.push_back(std::make_shared<const std::decay_t<decltype(stream.now)>>(stream.now));
  stream.at.emplace_back(happened.at().offset, body.last().value);
}

void checker::check_deadline(const environment_model& before, const commit_body& happened) {
  // A crowded server tells again what was refused; a stream that cannot be read is tried again.
  constexpr std::chrono::seconds grace{12};
  if (before.deadline == timestamp{}) return;
  ++checks_;
  auto excused = microseconds{0};
  for (const auto& [from, to] : excuses_)
    excused += std::max(microseconds{0},
                        std::min(to, happened.asked_at) - std::max(from, before.deadline_since));
  if (happened.asked_at > before.deadline + grace + excused)
    fail(happened.stream.text() + " was " + std::string{environment::name_of(before.status)} +
         " after its deadline");
}

void checker::read_commit(const commit& happened) {
  ++checks_;
  const auto& body = happened.body;
  if (happened.at().offset != ++offset_)
    return fail("the journal has a gap at offset " + std::to_string(offset_));
  if (happened.envelope.time < last_time_) return fail("commit time went back");
  last_time_ = happened.envelope.time;
  const found_command found{body.stream, body.first, body.last(), offset_, last_time_};
  const auto [earlier, is_fresh] =
      found_.try_emplace(command_key_of{body.by.account, body.command}, found);
  if (!is_fresh) {
    // Berth's own commands have ids without a time: they may come again after the window.
    if (!body.by.is_system || earlier->second.time + deduplication_window >= last_time_)
      return fail("command " + body.command.text() + " was executed twice");
    earlier->second = found;
  }
  trace_ = trace_ * 1099511628211ULL ^ body.command_hash ^ (body.first.value << 32) ^
           static_cast<std::uint64_t>(to_us(happened.envelope.time));
  switch (body.stream.kind) {
    case aggregate_kind::account:
      return read_events<account::aggregate>(happened);
    case aggregate_kind::session:
      return read_events<session::aggregate>(happened);
    case aggregate_kind::environment:
      return read_events<environment::aggregate>(happened);
    case aggregate_kind::terminal:
      return read_events<terminal::aggregate>(happened);
    case aggregate_kind::host:
      break;
  }
}

void checker::walk() {
  for (;;) {
    const auto some = log_.read({0, offset_ + 1}, walk_commits);
    if (!some) {
      if (!is_damaged_) fail("the journal cannot be read: " + some.error().message);
      return;
    }
    for (const auto& each : *some) {
      if (on_commit_) on_commit_(each);
      read_commit(each);
    }
    if (some->size() < walk_commits) break;
  }
  for (const auto& check : std::exchange(outstanding_, {})) check();
}

template void checker::accepted(operation&, const answer<account::aggregate>&);
template void checker::accepted(operation&, const answer<session::aggregate>&);
template void checker::accepted(operation&, const answer<environment::aggregate>&);
template void checker::accepted(operation&, const answer<terminal::aggregate>&);
template void checker::told(const stream_id&, stream_version, const answer<account::aggregate>&);
template void checker::told(const stream_id&, stream_version, const answer<session::aggregate>&);
template void checker::told(const stream_id&, stream_version,
                            const answer<environment::aggregate>&);
template void checker::told(const stream_id&, stream_version, const answer<terminal::aggregate>&);

namespace {
template <class Streams>
auto* present(const Streams& streams, const std::string& key) {
  const auto at = streams.find(key);
  return at == streams.end() ? nullptr : &at->second.now;
}
}  // namespace

const environment_model* checker::environment(const environment_id& id) const {
  return present(environments_, id.value);
}
const terminal_model* checker::terminal(const terminal_id& id) const {
  return present(terminals_, id.value);
}
const account_model* checker::account(const account_id& id) const {
  return present(accounts_, id.value);
}
std::uint64_t checker::losses(const environment_id& id) const {
  const auto at = losses_.find(id.value);
  return at == losses_.end() ? 0 : at->second;
}

}  // namespace berth::sim
