#include "actors/actor_kernel.hpp"

#include <spdlog/spdlog.h>
#include <caf/logger.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/account_effects.hpp"
#include "actors/exec_waiter.hpp"
#include "actors/spawn.hpp"
#include "actors/stream_history.hpp"
#include "events/core/partition.hpp"

namespace berth::actors {

namespace {
constexpr std::chrono::seconds beat_every{
    30};  // the host's alive record (DESIGN §9: at least once a minute)
constexpr std::chrono::milliseconds adopt_retry{500};
constexpr std::chrono::seconds sweep_every{10};  // passivation
constexpr std::size_t wake_batch = 16;           // streams woken at a time after a start
constexpr std::chrono::milliseconds wake_pause{1};
constexpr int wake_patience = 100;  // pauses for a batch to be seen to
constexpr std::size_t max_throughput =
    100;  // messages an actor handles before it yields its worker
}  // namespace

struct actor_kernel::system_config : caf::actor_system_config {
  explicit system_config(const kernel_options& options) {
    set("scheduler.policy", options.simulated ? caf::atom("testing") : caf::atom("sharing"));
    set("scheduler.max-threads", options.worker_threads);
    set("scheduler.max-throughput", max_throughput);
  }
};

actor_kernel::actor_kernel(kernel_options options)
    : config_{std::make_unique<system_config>(options)},
      shared_{std::move(options), [this](const entry_ptr& entry) { return spawn(entry); }},
      system_{std::make_unique<caf::actor_system>(*config_)} {}

actor_kernel::~actor_kernel() {
  stop();
  system_.reset();  // waits for the actors, which use what is declared before it
}

caf::actor actor_kernel::spawn(const entry_ptr& entry) {
  // spawn() leaves a reference to CAF's logger with the calling thread, and the actor system's
  // destructor waits for the last one: a thread that outlives the kernel (the host's) would hold it
  // up for ever.
  struct logger_released {
    ~logger_released() { caf::logger::set_current_actor_system(nullptr); }
  } released;
  switch (entry->stream.kind) {
    case aggregate_kind::account:
      return spawn_account(*system_, shared_, entry);
    case aggregate_kind::session:
      return spawn_session(*system_, shared_, entry);
    case aggregate_kind::environment:
      return spawn_environment(*system_, shared_, entry);
    case aggregate_kind::terminal:
      return spawn_terminal(*system_, shared_, entry);
    case aggregate_kind::host:
      break;
  }
  return spawn_host(*system_, shared_, entry);
}

void actor_kernel::start() {
  auto& options = shared_.options;
  options.bulk.on_durable([this](const terminal_id& terminal, std::uint64_t durable) {
    shared_.registry.deliver_if_resident({aggregate_kind::terminal, terminal.value},
                                         bulk_durable_message{durable});
  });
  if (auto known = load_stream<host::aggregate>(options.journal,
                                                {aggregate_kind::host, options.this_host.value}))
    shared_.alive_before = known->now->alive_until;
  options.host.observe(this);
  adopt();
}

// A host that cannot say what runs is asked again: taking silence for "nothing" would end every
// environment.
void actor_kernel::adopt() {
  shared_.options.host.adopt([this](host_result<std::vector<adopted_environment>> found) {
    if (found) return adopted(*found);
    spdlog::warn("the host cannot say what runs, asking again: {}", found.error().message);
    shared_.timers.after(adopt_retry, [this] { adopt(); });
  });
}

void actor_kernel::adopted(const std::vector<adopted_environment>& found) {
  for (const auto& each : found) shared_.adopted.emplace(each.id, each.life);
  shared_.adoption_known.store(true, std::memory_order_release);
  shared_.registry.wake_resident();
  const auto& options = shared_.options;
  shared_.tell_surely<host::aggregate>(
      options.this_host.value, host::enlist{options.boot, options.host.capabilities().provider},
      uuid::derived("host", options.this_host.value, std::to_string(options.owner_epoch)), {}, {},
      {});
  wake_next(std::nullopt, nullptr);
  beat();
  sweep();
}

// Every stream is looked at once after a start: what its state wants and the world lacks is done
// then.
void actor_kernel::wake_next(std::optional<stream_id> after,
                             std::shared_ptr<const partition_set> only, int patience) {
  // Who asks for something meanwhile finds a short queue: the next come when these were seen to.
  const auto again_after = [this, only](const stream_id& last, int left) {
    shared_.timers.after(wake_pause, [this, only, last, left] { wake_next(last, only, left); });
  };
  if (after && patience > 0 && shared_.registry.has_work(*after))
    return again_after(*after, patience - 1);
  auto some = shared_.options.journal.list_streams(after, wake_batch);
  if (!some || some->empty()) return;
  const auto& log = shared_.options.journal;
  for (const auto& each : *some) {
    const bool wanted = !only || only->contains(partition_of(each, log.partitions()));
    if (wanted && log.leadership_of(each) != 0) shared_.registry.deliver(each, wake_message{});
  }
  again_after(some->back(), wake_patience);
}

void actor_kernel::beat() {
  const auto now = shared_.options.clock.now();
  const auto& host = shared_.options.this_host.value;
  shared_.tell<host::aggregate>(host, host::record_alive{now},
                                uuid::derived("beat", host, std::to_string(to_us(now))), {}, {}, {},
                                [](const auto&) {});
  shared_.timers.after(beat_every, [this] { beat(); });
}

void actor_kernel::leadership_began(std::uint32_t partition) {
  const std::lock_guard lock{led_mutex_};
  if (shared_.options.nodes) led_anew_.insert(partition);
  look_soon();
}

// What began before is not taken back: news may overtake each other, and wake_next asks again.
void actor_kernel::leadership_ended(std::uint32_t) {
  const std::lock_guard lock{led_mutex_};
  look_soon();
}

// Many partitions begin at once: one look serves them all.
void actor_kernel::look_soon() {
  constexpr std::chrono::milliseconds together{50};
  if (std::exchange(look_armed_, true)) return;
  shared_.timers.after(together, [this] {
    auto anew = std::make_shared<partition_set>();
    {
      const std::lock_guard lock{led_mutex_};
      look_armed_ = false;
      anew->swap(led_anew_);
    }
    shared_.registry.wake_resident();
    // Before the host's adoption is known nothing is woken: all is, then.
    if (!anew->empty() && shared_.adoption_known) wake_next(std::nullopt, std::move(anew));
  });
}

void actor_kernel::sweep() {
  shared_.registry.passivate_idle(shared_.options.clock.now() -
                                  shared_.options.limits.passivate_after);
  shared_.timers.after(sweep_every, [this] { sweep(); });
}

void actor_kernel::stop() {
  if (std::exchange(stopped_, true)) return;
  shared_.timers.stop();
  shared_.options.host.observe(nullptr);
  shared_.options.bulk.on_durable({});
  shared_.registry.close();
  if (shared_.options.simulated)
    while (run_job([](std::size_t) { return std::size_t{0}; })) {}
}

template <class A>
void actor_kernel::admit(const std::string& key, typename A::command what, command_meta meta,
                         answer_completion<A> done) {
  const auto request =
      std::make_shared<ask_request<A>>(std::move(what), std::move(meta), std::move(done));
  auto refused = shared_.registry.admit<A>({A::kind, key}, request);
  if (!refused) return;
  if (refused->code == rejection_code::overloaded) ++shared_.overloaded_total;
  request->finish(std::move(*refused));
}

template <class A>
void actor_kernel::look(const std::string& key, const principal& by, answer_completion<A> done) {
  auto request = std::make_shared<read_request<A>>(read_request<A>{by, std::move(done)});
  if (!shared_.registry.deliver({A::kind, key}, read_message<A>{request}))
    request->done(reject(rejection_code::unavailable, "the server is shutting down; retry"));
}

void actor_kernel::ask(const account_id& id, account::command what, command_meta meta,
                       answer_completion<account::aggregate> done) {
  admit<account::aggregate>(id.value, std::move(what), std::move(meta), std::move(done));
}
void actor_kernel::ask(const session_id& id, session::command what, command_meta meta,
                       answer_completion<session::aggregate> done) {
  admit<session::aggregate>(id.value, std::move(what), std::move(meta), std::move(done));
}
void actor_kernel::ask(const environment_id& id, environment::command what, command_meta meta,
                       answer_completion<environment::aggregate> done) {
  admit<environment::aggregate>(id.value, std::move(what), std::move(meta), std::move(done));
}
void actor_kernel::ask(const terminal_id& id, terminal::command what, command_meta meta,
                       answer_completion<terminal::aggregate> done) {
  admit<terminal::aggregate>(id.value, std::move(what), std::move(meta), std::move(done));
}
void actor_kernel::ask(const host_id& id, host::command what, command_meta meta,
                       answer_completion<host::aggregate> done) {
  admit<host::aggregate>(id.value, std::move(what), std::move(meta), std::move(done));
}

void actor_kernel::read(const account_id& id, const principal& by,
                        answer_completion<account::aggregate> done) {
  look<account::aggregate>(id.value, by, std::move(done));
}
void actor_kernel::read(const session_id& id, const principal& by,
                        answer_completion<session::aggregate> done) {
  look<session::aggregate>(id.value, by, std::move(done));
}
void actor_kernel::read(const environment_id& id, const principal& by,
                        answer_completion<environment::aggregate> done) {
  look<environment::aggregate>(id.value, by, std::move(done));
}
void actor_kernel::read(const terminal_id& id, const principal& by,
                        answer_completion<terminal::aggregate> done) {
  look<terminal::aggregate>(id.value, by, std::move(done));
}

std::shared_ptr<void> actor_kernel::watch(const environment_id& id, const principal& by,
                                          environment_watcher seen) {
  auto handle = std::make_shared<char>();
  auto request = std::make_shared<watch_request<environment::aggregate>>(
      watch_request<environment::aggregate>{by, handle, std::move(seen)});
  shared_.registry.deliver({aggregate_kind::environment, id.value},
                           watch_message<environment::aggregate>{request});
  return handle;
}

// The same for every retry of the command: what the log has, or what was chosen a moment ago.
outcome<environment_id> actor_kernel::environment_id_for(const account_id& account,
                                                         const std::string& name,
                                                         const command_id& command) {
  const auto& options = shared_.options;
  const auto id_at = [&](std::uint32_t home) {
    return environment_id{derived_id_at(home, options.journal.partitions(),
                                        aggregate_kind::environment, "env", account.value,
                                        command)};
  };
  // A server alone is what node 0 of a cluster will be.
  if (!options.nodes) return id_at(0);
  if (const auto recorded = options.journal.find_command(account, command)) {
    const stream_id stream{aggregate_kind::account, account.value};
    if (recorded->stream != stream) return id_at(0);  // a conflict, which the account will tell
    const auto then = load_stream<account::aggregate>(options.journal, stream, recorded->last);
    if (!then) return then.error();
    for (const auto& [id, entry] : then->now->environments)
      if (entry.name == name) return id;
    return id_at(0);
  }
  return placed_.find_or({account, command}, [&]() -> outcome<environment_id> {
    const auto home = options.nodes->place();
    if (!home) return home.error();
    return id_at(*home);
  });
}

void actor_kernel::create_environment(const account_id& account, environment::create what,
                                      command_meta meta, creation_completion done) {
  const auto chosen = environment_id_for(account, what.name, meta.id);
  if (!chosen) return done(chosen.error());
  const auto& id = *chosen;
  account::request_environment wanted{
      id, what.name, what.instance_type, what.template_name, what.price_list, meta.correlation};
  // The account's effect creates it too, under the same command id, should this server die in
  // between.
  ask(account, std::move(wanted), meta,
      [this, account, id = id, what = std::move(what), meta,
       done = std::move(done)](const auto& reserved) mutable {
        if (!reserved) return done(reserved.error());
        const bool replayed = reserved->replayed;
        shared_.tell<environment::aggregate>(
            id.value,
            environment::create{account, what.name, what.instance_type, what.template_name,
                                what.price_list},
            creation_command(id), account, meta.correlation,
            cause{{aggregate_kind::account, account.value}, reserved->version},
            [done = std::move(done), replayed, id](const auto& created) {
              if (!created) return done(created.error());
              created_environment made{*created, id};
              made.replayed = replayed;  // of the caller's command, not of ours
              done(std::move(made));
            });
      });
}

void actor_kernel::exec(const environment_id& id, environment::exec what, command_meta meta,
                        std::function<void(outcome<exec_answer>)> done) {
  // Both derive from the command, so that a retry names the same run.
  what.id = {derived_id("exec", id.value, meta.id)};
  what.effect = uuid::derived("exec", id.value, what.id.value);
  auto waiter =
      std::make_shared<exec_waiter>(shared_.options.journal, id, what.id, std::move(done));
  auto by = meta.by;
  ask(id, environment::command{std::move(what)}, std::move(meta),
      [this, id, by, waiter](const auto& accepted) {
        if (!accepted) return waiter->fail(accepted.error());
        waiter->accepted(*accepted);
        waiter->watch(watch(id, by, [waiter](const auto& seen) { waiter->seen(seen); }));
      });
}

void actor_kernel::attach(attach_request request, std::shared_ptr<terminal_viewer> viewer,
                          std::function<void(outcome<attached_terminal>)> done) {
  const stream_id stream{aggregate_kind::terminal, request.terminal.value};
  auto task = std::make_shared<attach_task>(
      attach_task{std::move(request), std::move(viewer), std::move(done)});
  if (!shared_.registry.deliver(stream, attach_message{task}))
    task->done(reject(rejection_code::unavailable, "the server is shutting down; retry"));
}

kernel_stats actor_kernel::stats() const {
  return {shared_.registry.resident(), shared_.commands_total, shared_.rejected_total,
          shared_.overloaded_total,    shared_.replayed_total, shared_.registry.in_flight(),
          shared_.terminals_live,      shared_.viewers};
}

bool actor_kernel::run_job(const std::function<std::size_t(std::size_t)>& pick) {
  auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  if (scheduler.jobs.empty()) return false;
  const auto chosen = pick(scheduler.jobs.size());
  std::rotate(scheduler.jobs.begin(), scheduler.jobs.begin() + static_cast<std::ptrdiff_t>(chosen),
              scheduler.jobs.end());
  return scheduler.try_run_once();
}

void actor_kernel::terminal_output(const terminal_id& terminal, std::uint64_t offset,
                                   shared_bytes data) {
  shared_.registry.deliver({aggregate_kind::terminal, terminal.value},
                           chunk_message{offset, std::move(data)});
}

void actor_kernel::terminal_ended(const terminal_id& terminal, const terminal_end& end) {
  shared_.registry.deliver({aggregate_kind::terminal, terminal.value}, terminal_end_message{end});
}

void actor_kernel::environment_lost(const environment_id& environment, const incarnation& life,
                                    const std::string& reason) {
  const auto now = shared_.options.clock.now();
  shared_.note_lost(life);
  shared_.tell_surely<environment::aggregate>(
      environment.value, environment::report_lost{life.value, reason, now},
      uuid::derived("lost", environment.value, life.value), {}, {}, {});
}

}  // namespace berth::actors

namespace berth {
std::unique_ptr<running_kernel> make_kernel(kernel_options options) {
  return std::make_unique<actors::actor_kernel>(std::move(options));
}
}  // namespace berth
