// The one event-sourced shell: runs any aggregate on CAF.
//
//   ask -> known id? recorded answer : decide(tentative) -> journal.append -> pending
//   appended -> durable = pending's state -> answers, watchers, effects, deadline, snapshot
//
// Answers, reads, watchers and effects see durable state only (output gate). A failed append
// rejects everything pending as unknown_outcome and forgets tentative state; the next message loads
// the stream anew.
#pragma once

#include <list>
#include <unordered_map>

#include "actors/effects.hpp"
#include "actors/mailbox_actor.hpp"
#include "actors/shell_listener.hpp"
#include "actors/stream_history.hpp"
#include "actors/tenancy.hpp"
#include "events/core/invariant.hpp"
#include "events/core/mutants.hpp"

namespace berth::actors {

template <class A>
class shell : public mailbox_actor {
 public:
  shell(caf::actor_config& config, runtime* shared, entry_ptr entry)
      : mailbox_actor{config}, shared_{*shared}, entry_{std::move(entry)} {}
  ~shell() override { last_reference_dropped(); }

  caf::behavior make_behavior() override {
    const auto self = caf::actor_cast<caf::actor>(static_cast<caf::event_based_actor*>(this));
    listener_ = std::make_shared<shell_listener>(self);
    effects_ = make_effects<A>({shared_, entry_->stream.key, self, post_to(self),
                                [this] { return correlation_; }, reporter()});
    auto common = caf::message_handler{[this](ask_message<A>& m) { ask(m.request), handled(); },
                                       [this](read_message<A>& m) { read(*m.request), handled(); },
                                       [this](watch_message<A>& m) { watch(m.request), handled(); },
                                       [this](appended_message& m) { appended(*m.results); },
                                       [this](effect_message& m) { (*m.run)(); },
                                       [this](deadline_message&) { deadline_passed(), handled(); },
                                       [this](wake_message&) { wake(), handled(); },
                                       [this](passivate_message&) { handled(), passivate(); }};
    return common.or_else(effects_->handlers([this] { (void)loaded(), handled(); }));
  }

  // What may hold this actor goes first: a cycle would keep all of it.
  void on_exit() override {
    pending_.clear();
    watchers_.clear();
    effects_.reset();
    listener_.reset();
    entry_.reset();
  }

 private:
  using state = typename A::state;
  using state_ptr = std::shared_ptr<const state>;
  using request_ptr = std::shared_ptr<ask_request<A>>;

  static constexpr std::chrono::seconds load_again_after{10};  // when the journal could not be read

  struct pending_commit {
    std::uint64_t ticket{};
    recorded_key key;
    std::uint64_t hash{};
    state_ptr after;
    stream_version version;
    std::vector<request_ptr> waiting;  // the first one asked; the others are its retries
    // Refusals that saw the state after it: they are told when it is durable, or not at all.
    std::vector<std::pair<request_ptr, rejection>> refused;
  };

  void handled() { entry_->queued.fetch_sub(1, std::memory_order_relaxed); }

  static auto post_to(caf::actor self) {
    return [self](std::function<void()> run) {
      caf::anon_send(self, effect_message{std::make_shared<std::function<void()>>(std::move(run))});
    };
  }

  auto reporter() {
    return [this](typename A::command what, const std::string& effect,
                  std::function<void(bool)> ended) {
      const auto name = effect + "@" + std::to_string(version_.value);
      shared_.template tell_surely<A>(entry_->stream.key, what,
                                      uuid::derived("effect", entry_->stream.text(), name),
                                      owner_of(entry_->stream.key, *durable_), correlation_,
                                      cause{entry_->stream, version_}, std::move(ended));
    };
  }

  // Loads the stream on first use. False: it cannot be used, failure_ says why.
  bool loaded() {
    const auto leadership = shared_.options.journal.leadership_of(entry_->stream);
    if (failure_ && is_not_led(*failure_)) failure_.reset();
    if (leadership != leadership_) loaded_ = !pending_.empty();
    if (loaded_ && leadership == leadership_) return !failure_;
    // What is pending is answered first, by the end of the leadership it was written under.
    if (leadership == 0 || loaded_) {
      failure_ = not_led(entry_->stream.text() + ": its partition is not led here now; retry");
      if (loaded_) return false;
      end_watches(*failure_);
      // In a cluster another node serves it; alone, this one will.
      if (!shared_.options.nodes && !std::exchange(wake_armed_, true)) wake_after(load_again_after);
      return false;
    }
    loaded_ = true;
    failure_.reset();
    leadership_ = leadership;
    auto read = load_stream<A>(shared_.options.journal, entry_->stream);
    if (!read) {
      failure_ = read.error();
      loaded_ = failure_->code ==
                rejection_code::quarantined;  // the disk may recover, an unknown event does not
      if (!loaded_ && !std::exchange(wake_armed_, true)) wake_after(load_again_after);
      return false;
    }
    durable_ = tentative_ = read->now;
    version_ = next_ = read->version;
    events_since_snapshot_ = read->version.value - read->snapshot.value;
    at_ = read->at;
    correlation_ = read->correlation;
    if (!BERTH_MUTANT(deadline_not_rearmed)) arm_deadline();
    tell_watchers();
    reconcile();
    return true;
  }

  void reconcile() {
    if (shared_.adoption_known.load(std::memory_order_acquire))
      effects_->reconcile(*durable_, version_);
  }

  // What woke it in vain may never come again: a deadline, the look after a start.
  void wake_after(std::chrono::microseconds delay) {
    shared_.timers.after(delay, [&shared = shared_, stream = entry_->stream] {
      shared.registry.deliver(stream, wake_message{});
    });
  }

  void wake() {
    wake_armed_ = false;
    const bool was_loaded = loaded_;
    if (loaded() && was_loaded) reconcile();
  }

  void refuse(ask_request<A>& request, rejection why) {
    auto& counter =
        why.code == rejection_code::overloaded ? shared_.overloaded_total : shared_.rejected_total;
    counter.fetch_add(1, std::memory_order_relaxed);
    request.finish(std::move(why));
  }

  // A refusal decided on tentative state waits for it (promise 1): what it saw may yet be lost.
  void refuse_when_durable(const request_ptr& request, rejection why) {
    if (pending_.empty() || BERTH_MUTANT(refusal_from_tentative))
      return refuse(*request, std::move(why));
    pending_.back().refused.emplace_back(request, std::move(why));
  }

  void ask(const request_ptr& request) {
    shared_.commands_total.fetch_add(1, std::memory_order_relaxed);
    if (!loaded()) return refuse(*request, *failure_);
    auto& meta = request->meta;
    if (!may_see(meta.by)) return refuse_when_durable(request, unknown_stream(entry_->stream));
    const auto now = std::max(shared_.options.clock.now(), last_time_);
    const auto hash = content_hash(A::canonical(request->command));
    const recorded_key key{meta.by.account, meta.id};
    if (repeated(request, key, hash)) return;  // however old: it has its answer
    if (too_old(meta.id, now, shared_.options.limits.command_window) &&
        !BERTH_MUTANT(old_command_executed))
      return refuse(
          *request,
          reject(rejection_code::command_too_old,
                 "the command id is older than the deduplication window; look at the present "
                 "state and send a new command",
                 "command_id"));
    auto decided = A::decide(*tentative_, request->command, {now});
    // What does not exist is not found, whatever version was expected of it.
    const bool missing = next_.value == 0 && !decided;
    if (meta.if_match && *meta.if_match != next_ && !missing)
      return refuse_when_durable(
          request, reject(rejection_code::precondition_failed,
                          entry_->stream.text() + " is at version " + std::to_string(next_.value)));
    if (!decided) return refuse_when_durable(request, decided.error());
    write(request, key, hash, now, std::move(*decided));
  }

  // Answers a command whose id is known; a known id with other content is a conflict.
  bool repeated(const request_ptr& request, const recorded_key& key, std::uint64_t hash) {
    const auto conflict = [&] {
      refuse_when_durable(
          request, reject(rejection_code::idempotency_conflict,
                          "this command id was used before with other content; use a new one",
                          "command_id"));
      return true;
    };
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      auto& earlier = *found->second;
      if (earlier.hash != hash) return conflict();
      earlier.waiting.push_back(request);
      return true;
    }
    const auto recorded = shared_.options.journal.find_command(key.account, key.id);
    if (!recorded) return false;
    if (BERTH_MUTANT(dedupe_dropped_at_snapshot) &&
        recorded->last.value + events_since_snapshot_ < version_.value)
      return false;
    const bool same_content = recorded->command_hash == hash || BERTH_MUTANT(other_content_taken);
    if (recorded->stream != entry_->stream || !same_content) return conflict();
    shared_.replayed_total.fetch_add(1, std::memory_order_relaxed);
    if (recorded->last == version_ || BERTH_MUTANT(retry_gets_newest_version)) {
      request->finish(answer<A>{version_, recorded->at, true, durable_});
      return true;
    }
    auto then = load_stream<A>(shared_.options.journal, entry_->stream, recorded->last);
    if (then)
      request->finish(answer<A>{recorded->last, recorded->at, true, then->now});
    else
      refuse(*request, then.error());
    return true;
  }

  void write(const request_ptr& request, const recorded_key& key, std::uint64_t hash, timestamp now,
             std::vector<typename A::event> events) {
    if (BERTH_MUTANT(command_without_events_not_recorded) && events.empty() && pending_.empty())
      return request->finish(answer<A>{version_, at_, false, durable_});
    commit_body body;
    body.stream = entry_->stream;
    body.first = {next_.value + 1};
    body.command = key.id;
    body.command_hash = hash;
    body.by = request->meta.by;
    body.correlation = request->meta.correlation;
    body.because = request->meta.because;
    body.asked_at = now;
    auto after = tentative_;
    if (!events.empty()) {
      auto folded = *tentative_;
      for (const auto& event : events) {
        body.events.push_back(A::encode(event));
        folded = A::apply(std::move(folded), event);
      }
      after = std::make_shared<const state>(std::move(folded));
    }
    if (BERTH_MUTANT(apply_before_append)) tentative_ = after;
    const auto ticket = ++last_ticket_;
    if (auto error = shared_.options.journal.append(body, ticket, listener_)) {
      --last_ticket_;
      return refuse(*request, to_rejection(*error));
    }
    if (BERTH_MUTANT(ack_before_sync))
      request->finish(answer<A>{body.last(), {0, at_.offset + 1}, false, after});
    last_time_ = now;
    next_ = body.last();
    tentative_ = after;
    pending_.push_back({ticket, key, hash, std::move(after), next_, {request}, {}});
    by_key_.emplace(key, std::prev(pending_.end()));
  }

  void appended(const std::vector<append_result>& results) {
    for (const auto& result : results) {
      if (pending_.empty() || result.ticket != pending_.front().ticket)
        continue;  // of a forgotten incarnation
      if (result.error) return forget(*result.error);
      auto done = std::move(pending_.front());
      pending_.pop_front();
      by_key_.erase(done.key);
      BERTH_ASSERT(result.last == done.version);
      events_since_snapshot_ += done.version.value - version_.value;
      durable_ = done.after;
      version_ = done.version;
      at_ = result.at;
      correlation_ = done.waiting.front()->meta.correlation;
      for (std::size_t i = 0; i < done.waiting.size(); ++i)
        done.waiting[i]->finish(answer<A>{version_, at_, i > 0, durable_});
      for (auto& [request, why] : done.refused) refuse(*request, std::move(why));
    }
    // An assignment of {} would keep its buckets: most actors wait most of the time.
    if (pending_.empty()) by_key_ = decltype(by_key_){};
    tell_watchers();
    arm_deadline();
    maybe_snapshot();
    reconcile();
  }

  // The journal cannot say what happened to what is pending: neither can we.
  void forget(const journal_error& why) {
    auto lost = std::move(pending_);
    pending_.clear();
    by_key_.clear();
    loaded_ = BERTH_MUTANT(tentative_kept_after_failure);
    // Nothing else may come that would look again.
    if (!std::exchange(wake_armed_, true)) wake_after(load_again_after);
    for (auto& each : lost) {
      for (auto& request : each.waiting) refuse(*request, to_rejection(why));
      for (auto& [request, refused] : each.refused) refuse(*request, to_rejection(why));
    }
  }

  bool may_see(const principal& by) const {
    if (by.is_system || BERTH_MUTANT(other_tenant_served)) return true;
    const auto owner = owner_of(entry_->stream.key, *tentative_);
    return owner.value.empty() ? next_.value == 0 : owner == by.account;
  }

  void read(read_request<A>& request) {
    if (!loaded()) return request.done(*failure_);
    if (version_.value == 0 || !may_see(request.by))
      return request.done(unknown_stream(entry_->stream));
    if (BERTH_MUTANT(read_from_tentative))
      return request.done(answer<A>{next_, at_, false, tentative_});
    request.done(answer<A>{version_, at_, false, durable_});
  }

  void watch(const std::shared_ptr<watch_request<A>>& request) {
    if (!loaded()) return request->seen(*failure_);
    if (version_.value == 0 || !may_see(request->by))
      return request->seen(unknown_stream(entry_->stream));
    request->seen(answer<A>{version_, at_, false, durable_});
    watchers_.push_back(request);
  }

  void tell_watchers() {
    std::erase_if(watchers_, [](const auto& each) { return each->alive.expired(); });
    if (BERTH_MUTANT(watcher_not_told)) return;
    for (const auto& each : watchers_) each->seen(answer<A>{version_, at_, false, durable_});
  }

  void end_watches(const rejection& why) {
    for (const auto& each : std::exchange(watchers_, {}))
      if (!each->alive.expired()) each->seen(why);
    effects_->led_elsewhere(why);
  }

  void arm_deadline() {
    const auto wanted = A::deadline(*durable_);
    // Woken too early it asks for the rest: a deadline that moves with every command is not moved.
    if (!wanted || (armed_ && *armed_ <= *wanted)) return;
    armed_ = wanted;
    shared_.deadlines.arm(entry_->stream, *wanted);
  }

  void deadline_passed() {
    armed_.reset();
    if (!loaded()) return;
    const auto wanted = A::deadline(*durable_);
    if (!wanted) return;
    if (*wanted > shared_.options.clock.now()) return arm_deadline();
    // Told too early (a clock that went back) it changes nothing and is told again: its id has the
    // time, or the second would be taken for the first.
    const auto name = "deadline@" + std::to_string(version_.value) + "/" +
                      std::to_string(to_us(shared_.options.clock.now()));
    shared_.template tell_surely<A>(entry_->stream.key, A::on_deadline(*durable_),
                                    uuid::derived("effect", entry_->stream.text(), name),
                                    owner_of(entry_->stream.key, *durable_), correlation_,
                                    cause{entry_->stream, version_});
  }

  void maybe_snapshot() {
    if (events_since_snapshot_ < shared_.options.limits.snapshot_every_events) return;
    events_since_snapshot_ = 0;
    const stream_version upto{version_.value - (BERTH_MUTANT(snapshot_off_by_one) ? 1 : 0)};
    shared_.options.journal.save_snapshot(
        {entry_->stream, upto, at_, A::fold_version,
         A::encode_state(BERTH_MUTANT(snapshot_of_tentative_state) ? *tentative_ : *durable_)});
  }

  void passivate() {
    std::erase_if(watchers_, [](const auto& each) { return each->alive.expired(); });
    if (!pending_.empty() || !watchers_.empty() || effects_->busy()) return;
    if (shared_.registry.retire(entry_)) quit();
  }

  runtime& shared_;
  entry_ptr entry_;
  std::shared_ptr<shell_listener> listener_;
  std::unique_ptr<effects<A>> effects_;

  bool loaded_{};
  bool wake_armed_{};
  std::uint64_t leadership_{};  // of the partition when it was loaded
  std::optional<rejection> failure_;
  state_ptr durable_ = std::make_shared<const state>();
  state_ptr tentative_ = durable_;
  stream_version version_;  // of durable_
  stream_version next_;     // of tentative_
  position at_;
  correlation_id correlation_;  // of the last durable commit
  timestamp last_time_;
  std::uint64_t last_ticket_{};
  std::uint64_t events_since_snapshot_{};
  std::list<pending_commit> pending_;  // takes no room while it is empty
  std::unordered_map<recorded_key, typename std::list<pending_commit>::iterator> by_key_;
  std::vector<std::shared_ptr<watch_request<A>>> watchers_;
  std::optional<timestamp> armed_;
};

}  // namespace berth::actors
