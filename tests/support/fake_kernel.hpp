// A kernel without actors for gateway tests: runs decide and apply where it is called, writes to a
// journal in memory, and plays the effects at once (a created environment is RUNNING when the call
// returns) unless told not to. Answers come inside the call. Any thread.
//
// attach() is answered `unavailable`: terminals' bytes are tested against the real kernel.
#pragma once

#include <any>
#include <functional>
#include <map>
#include <mutex>

#include "actors/kernel.hpp"
#include "events/core/journal.hpp"
#include "events/core/partition.hpp"
#include "tests/support/manual_clock.hpp"

namespace berth::testing {

class fake_kernel final : public kernel {
 public:
  // The journal makes commits durable at once.
  fake_kernel(const clock& time, journal& log) : time_(time), journal_(log) {}

  bool effects{true};                    // play them
  std::optional<rejection> refuse_next;  // the next ask or read is answered so
  std::function<environment::exec_finished(const environment::exec&)> on_exec;

  void ask(const account_id& id, account::command c, command_meta m,
           answer_completion<account::aggregate> done) override {
    run<account::aggregate>(id, std::move(c), std::move(m), std::move(done));
  }
  void ask(const session_id& id, session::command c, command_meta m,
           answer_completion<session::aggregate> done) override {
    run<session::aggregate>(id, std::move(c), std::move(m), std::move(done));
  }
  void ask(const environment_id& id, environment::command c, command_meta m,
           answer_completion<environment::aggregate> done) override {
    run<environment::aggregate>(id, std::move(c), std::move(m), std::move(done));
  }
  void ask(const terminal_id& id, terminal::command c, command_meta m,
           answer_completion<terminal::aggregate> done) override {
    run<terminal::aggregate>(id, std::move(c), std::move(m), std::move(done));
  }
  void ask(const host_id& id, host::command c, command_meta m,
           answer_completion<host::aggregate> done) override {
    run<host::aggregate>(id, std::move(c), std::move(m), std::move(done));
  }

  void read(const account_id& id, const principal& by,
            answer_completion<account::aggregate> done) override {
    done(look<account::aggregate>(id.value, by));
  }
  void read(const session_id& id, const principal& by,
            answer_completion<session::aggregate> done) override {
    done(look<session::aggregate>(id.value, by));
  }
  void read(const environment_id& id, const principal& by,
            answer_completion<environment::aggregate> done) override {
    done(look<environment::aggregate>(id.value, by));
  }
  void read(const terminal_id& id, const principal& by,
            answer_completion<terminal::aggregate> done) override {
    done(look<terminal::aggregate>(id.value, by));
  }

  std::shared_ptr<void> watch(const environment_id& id, const principal& by,
                              environment_watcher watcher) override {
    auto kept = std::make_shared<environment_watcher>(watcher);
    {
      const std::scoped_lock held(mutex_);
      watchers_.emplace(id.value, kept);
    }
    watcher(look<environment::aggregate>(id.value, by));
    return kept;
  }

  void create_environment(const account_id& account, environment::create c, command_meta meta,
                          creation_completion done) override {
    const std::scoped_lock held(mutex_);
    const environment_id id{derived_id("env", account.value, meta.id)};
    account::request_environment request{
        id, c.name, c.instance_type, c.template_name, c.price_list, meta.correlation};
    auto reserved = decide_and_store<account::aggregate>(account.value, request, meta);
    if (!reserved) return done(reserved.error());
    auto second = meta;
    second.id = uuid::derived("fake-create", account.value, meta.id.text());
    second.if_match.reset();
    auto created = decide_and_store<environment::aggregate>(id.value, c, second);
    if (created && reserved->replayed) created->replayed = true;
    settle(id);
    if (!created) return done(created.error());
    done(created_environment{*created, id});
  }

  void exec(const environment_id& id, environment::exec c, command_meta meta,
            std::function<void(outcome<exec_answer>)> done) override {
    const std::scoped_lock held(mutex_);
    auto asked = decide_and_store<environment::aggregate>(id.value, c, meta);
    if (!asked) return done(asked.error());
    auto& finished = execs_[c.id];
    if (!asked->replayed) {
      if (on_exec) finished = on_exec(c);
      finished.exec = c.id;
      environment::report_exec report{c.id,
                                      finished.exit_code,
                                      finished.stdout_bytes,
                                      finished.stderr_bytes,
                                      finished.truncated,
                                      finished.timed_out,
                                      finished.duration_ms};
      system_ask<environment::aggregate>(id.value, report);
    }
    done(exec_answer{finished, asked->version, asked->at, asked->replayed});
  }

  void attach(attach_request, std::shared_ptr<terminal_viewer>,
              std::function<void(outcome<attached_terminal>)> done) override {
    done(reject(rejection_code::unavailable, "the fake kernel has no terminals' bytes"));
  }

  kernel_stats stats() const override { return {}; }

  // What an effect of the server would ask.
  template <class A>
  outcome<answer<A>> system_ask(const std::string& key, typename A::command c) {
    const std::scoped_lock held(mutex_);
    command_meta meta{
        fresh_id(), system_principal(owner_of(state_of<A>(key), key)), fresh_id(), {}, {}};
    return decide_and_store<A>(key, std::move(c), meta);
  }

 private:
  template <class A>
  struct entry {
    std::shared_ptr<const typename A::state> state = std::make_shared<typename A::state>();
    stream_version version;
    position at;
  };
  template <class A>
  std::map<std::string, entry<A>>& entries() {
    return std::get<std::map<std::string, entry<A>>>(all_);
  }
  template <class A>
  const typename A::state& state_of(const std::string& key) {
    return *entries<A>()[key].state;
  }

  static account_id owner_of(const account::state&, const std::string& key) { return {key}; }
  static account_id owner_of(const host::state&, const std::string&) { return {}; }
  template <class State>
  static account_id owner_of(const State& state, const std::string&) {
    return state.account;
  }

  command_id fresh_id() { return uuid::derived("fake", std::to_string(++fresh_)); }

  template <class A>
  outcome<answer<A>> look(const std::string& key, const principal& by) {
    const std::scoped_lock held(mutex_);
    if (auto no = std::exchange(refuse_next, {})) return *no;
    const auto found = entries<A>().find(key);
    const bool there = found != entries<A>().end() && found->second.version.value > 0;
    if (!there || (!by.is_system && owner_of(*found->second.state, key) != by.account))
      return reject(rejection_code::not_found, "no such thing");
    return answer<A>{found->second.version, found->second.at, false, found->second.state};
  }

  template <class A, class Id>
  void run(const Id& id, typename A::command c, command_meta meta, answer_completion<A> done) {
    const std::scoped_lock held(mutex_);
    auto answered = refuse_next ? outcome<answer<A>>(*std::exchange(refuse_next, {}))
                                : decide_and_store<A>(id.value, std::move(c), meta);
    if (answered) settle(id);
    done(std::move(answered));
  }

  template <class A>
  outcome<answer<A>> decide_and_store(const std::string& key, typename A::command c,
                                      const command_meta& meta) {
    auto& now = entries<A>()[key];
    const bool exists = now.version.value > 0;
    if (exists && !meta.by.is_system && owner_of(*now.state, key) != meta.by.account)
      return reject(rejection_code::not_found, "no such thing");
    const auto hash = content_hash(key + A::canonical(c));
    const auto known = commands_.find({meta.by.account, meta.id});
    if (known != commands_.end()) {
      if (known->second.first != hash)
        return reject(rejection_code::idempotency_conflict, "another command had this id");
      auto same = std::any_cast<answer<A>>(known->second.second);
      same.replayed = true;
      return same;
    }
    if (meta.if_match && *meta.if_match != now.version)
      return reject(rejection_code::precondition_failed, "another version");
    auto events = A::decide(*now.state, c, decide_context{time_.now()});
    if (!events) return events.error();
    store<A>(key, now, *events, hash, meta);
    answer<A> given{now.version, now.at, false, now.state};
    commands_.emplace(std::pair{meta.by.account, meta.id}, std::pair{hash, std::any(given)});
    return given;
  }

  template <class A>
  void store(const std::string& key, entry<A>& now, const std::vector<typename A::event>& events,
             std::uint64_t hash, const command_meta& meta) {
    commit_body body;
    body.stream = {A::kind, key};
    body.first = {now.version.value + 1};
    body.command = meta.id;
    body.command_hash = hash;
    body.by = meta.by;
    body.correlation = meta.correlation;
    body.asked_at = time_.now();
    auto state = *now.state;
    for (const auto& event : events) {
      body.events.push_back(A::encode(event));
      state = A::apply(std::move(state), event);
    }
    const auto failed = journal_.append(body, 0, nullptr);
    if (failed) std::abort();
    now = {std::make_shared<const typename A::state>(std::move(state)),
           {now.version.value + events.size()},
           journal_.head(partition_of(body.stream, journal_.partitions()))};
    told(key, now);
  }

  template <class A>
  void told(const std::string&, const entry<A>&) {}
  void told(const std::string& key, const entry<environment::aggregate>& now) {
    for (auto [at, end] = watchers_.equal_range(key); at != end;) {
      const auto watcher = at->second.lock();
      if (!watcher) {
        at = watchers_.erase(at);
        continue;
      }
      (*watcher)(answer<environment::aggregate>{now.version, now.at, false, now.state});
      ++at;
    }
  }

  template <class Id>
  void settle(const Id&) {}
  void settle(const environment_id& id) {
    if (!effects) return;
    for (;;) {
      const auto now = state_of<environment::aggregate>(id.value);
      if (now.status == environment::status::creating)
        report(id, environment::report_provisioned{});
      else if (now.status == environment::status::starting)
        report(id, environment::report_started{"life-1", {"host_1"}});
      else if (now.status == environment::status::stopping)
        report(id, environment::report_stopped{});
      else if (now.status == environment::status::deleting) {
        report(id, environment::report_deleted{});
        system_ask<account::aggregate>(now.account.value, account::release_name{id});
      } else
        return;
    }
  }
  void settle(const terminal_id& id) {
    if (!effects) return;
    const auto now = state_of<terminal::aggregate>(id.value);
    if (now.status == terminal::status::opening)
      system_ask<terminal::aggregate>(id.value, terminal::report_started{"life-1", 42});
    if (now.status == terminal::status::running && now.close_asked)
      system_ask<terminal::aggregate>(id.value, terminal::report_ended{0, {}, 1, "signalled", ""});
  }
  void report(const environment_id& id, environment::command c) {
    if (!system_ask<environment::aggregate>(id.value, std::move(c))) std::abort();
  }

  const clock& time_;
  journal& journal_;
  std::recursive_mutex mutex_;
  std::uint64_t fresh_{};
  std::tuple<std::map<std::string, entry<account::aggregate>>,
             std::map<std::string, entry<session::aggregate>>,
             std::map<std::string, entry<environment::aggregate>>,
             std::map<std::string, entry<terminal::aggregate>>,
             std::map<std::string, entry<host::aggregate>>>
      all_;
  std::map<std::pair<account_id, command_id>, std::pair<std::uint64_t, std::any>> commands_;
  std::map<exec_id, environment::exec_finished> execs_;
  std::multimap<std::string, std::weak_ptr<environment_watcher>> watchers_;
};

}  // namespace berth::testing
