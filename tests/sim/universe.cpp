#include "tests/sim/universe.hpp"

#include <algorithm>

namespace berth::sim {

using testing::call_fate;

namespace {

constexpr std::size_t client_steps_a_round = 8;  // at most
constexpr std::size_t server_steps_a_round = 48;
constexpr std::size_t steps_until_dead_max = 64;
constexpr std::size_t gateway_clients_max = 3;
constexpr std::size_t gateway_steps_a_round = 10;  // fewer

kernel_limits limits_of(const fault_plan& faults) {
  kernel_limits limits;
  limits.snapshot_every_events = 6;  // so that most recoveries meet one
  limits.terminal_hot_bytes_max = 4'096;
  limits.terminal_free_window_bytes = 64 * 1024;
  limits.terminal_pump_bytes_max = 3'000;
  limits.screen_lag_bytes_max = 6'000;
  limits.passivate_after = std::chrono::seconds{20};
  if (faults.on(fault::overload)) limits.in_flight_per_actor_max = 4;
  return limits;
}

journal_limits disk_limits_of(const fault_plan& faults) {
  journal_limits limits;
  if (faults.on(fault::overload)) limits.queue_commits_max = 5;
  return limits;
}

std::string_view name_of(testing::host_call call) {
  static constexpr auto names = std::to_array<std::string_view>(
      {"adopt", "create", "start", "stop", "destroy", "exec", "open_terminal", "input", "dial"});
  return names[static_cast<std::size_t>(call)];
}
std::string_view name_of(call_fate fate) {
  static constexpr auto names = std::to_array<std::string_view>(
      {"", "is refused", "hangs", "is done, the answer lost", "is done twice"});
  return names[static_cast<std::size_t>(fate)];
}

std::uint64_t mixed(std::uint64_t seed, std::uint64_t step) {
  return testing::seeded_random{seed * 0x9E3779B97F4A7C15ULL + step}();
}

bool has_gateway(const universe_options& options) {
  constexpr auto decision = ~std::uint64_t{0};
  return mixed(options.seed, decision) % options.gateway_in == 0;
}

// Clients of the gateway read the journal themselves to know what they must hear.
std::uint32_t faults_off(const universe_options& options) {
  constexpr auto bit_rot = std::uint32_t{1} << static_cast<unsigned>(fault::bit_rot);
  return options.faults_off | (has_gateway(options) ? bit_rot : 0);
}

}  // namespace

void universe_stats::operator+=(const universe_stats& other) {
  universes += other.universes;
  commands += other.commands;
  sends += other.sends;
  accepted += other.accepted;
  crashes += other.crashes;
  power_cuts += other.power_cuts;
  faults += other.faults;
  fault_kinds += other.fault_kinds;
  terminal_bytes += other.terminal_bytes;
  checks += other.checks;
  with_gateway += other.with_gateway;
  connections += other.connections;
  resumes += other.resumes;
  commits_folded += other.commits_folded;
  log_commits += other.log_commits;
  log_leads += other.log_leads;
  log_skipped += other.log_skipped;
}

universe::universe(const universe_options& options)
    : options_{options},
      faults_{options.seed, faults_off(options)},
      random_{options.seed ^ 0x5EEDULL},
      server_{options.seed, limits_of(faults_), disk_limits_of(faults_)},
      check_{server_.journal},
      world_{server_, check_, faults_, options.traced},
      terminals_{world_},
      clients_{world_, terminals_} {
  auto& manners = server_.manners;
  manners.writes_apart = faults_.on(fault::lost_writes) || faults_.on(fault::torn_writes) ||
                         faults_.on(fault::reordered_writes) || faults_.on(fault::slow_sync);
  manners.slow_sync = faults_.on(fault::slow_sync);
  manners.slow_bulk = faults_.on(fault::slow_bulk);
  manners.answers_reordered = faults_.on(fault::answers_reordered);
  if (manners.slow_sync) faults_.count(fault::slow_sync);
  if (manners.slow_bulk) faults_.count(fault::slow_bulk);
  if (manners.answers_reordered) faults_.count(fault::answers_reordered);
  if (faults_.on(fault::overload)) faults_.count(fault::overload);
  if (options.traced)
    check_.on_commit([this](const commit& each) {
      std::string types;
      for (const auto& event : each.body.events) types += " " + std::to_string(event.type);
      world_.note("  log {} at {}: {} version {}, events{} by {}", each.at().offset,
                  to_us(each.envelope.time) % 1'000'000'000'000, each.body.stream.text(),
                  each.body.first.value, types, each.body.by.actor);
    });
  server_.host.decide_fates([this](testing::host_call call, const environment_id& at) {
    const auto fate = fate_of(call);
    // Done when the server has given it up, it ends a later life.
    if (fate == call_fate::hangs && call == testing::host_call::stop) ++losses_allowed_[at];
    if (options_.traced) world_.note("  host: {} {} {}", name_of(call), at.value, name_of(fate));
    return fate;
  });
  server_.host.on_durable([this](const terminal_id& id, std::uint64_t offset) {
    ++stats_.checks;
    if (offset > server_.bulk.extent(id).durable)
      check_.fail("the agent of terminal " + id.value + " was told to forget what is not durable");
  });
  server_.host.answer_exec([](const environment_id&, const exec_request& request) {
    return host_result<exec_output>{exec_output{0, request.command.back(), {}, false, false, {}}};
  });
  if (!has_gateway(options)) return;
  views_.emplace(server_);
  wire_.emplace(server_, *views_, 1 + random_.below(gateway_clients_max));
}

// What clients hold of a server goes before it, and it before them: it still has answers for them.
universe::~universe() {
  terminals_.cut_all();
  clients_.forget_watches();
  if (server_.up()) server_.crash();
}

call_fate universe::fate_of(testing::host_call call) {
  if (call == testing::host_call::adopt) return call_fate::done;
  // Typed keys reach an agent in order or not at all; clients of the gateway count on it.
  if (call == testing::host_call::terminal_input && wire_)
    return faults_.strikes(fault::calls_refused, 4) ? call_fate::refused : call_fate::done;
  if (faults_.strikes(fault::calls_refused, 10)) return call_fate::refused;
  if (faults_.strikes(fault::calls_hang, 14)) return call_fate::hangs;
  if (faults_.strikes(fault::answers_lost, 10)) return call_fate::answer_lost;
  if (faults_.strikes(fault::calls_repeated, 8)) return call_fate::repeated;
  return call_fate::done;
}

// Each step has a generator of its own: leaving one out does not change the others.
void universe::client_step() {
  const auto step = client_steps_++;
  if (options_.steps_skipped.contains(step)) return;
  testing::seeded_random random{mixed(options_.seed, step)};
  clients_.act(random);
}

// A closed journal ends the process, as berthd does when a sync fails (J6); what runs beside the
// thread that found it goes on for a moment.
void universe::run_server(std::size_t steps) {
  for (; steps > 0 && server_.step(); --steps) {
    if (!server_.journal.closed()) continue;
    world_.note("the journal failed: the process ends");
    for (auto moment = random_.below(steps_until_dead_max); moment > 0; --moment) {
      if (random_.one_in(4)) client_step();
      server_.step();
    }
    return end_process();
  }
}

void universe::round() {
  for (auto i = 1 + random_.below(client_steps_a_round); i > 0; --i) client_step();
  if (wire_) use_gateway();
  run_server(random_.below(server_steps_a_round));
  fault_step();
  if (faults_.strikes(fault::killed, 24) || faults_.strikes(fault::power_cut, 24)) end_process();
  if (random_.one_in(6)) pass(std::chrono::milliseconds{random_.below(4'000)});
  if (server_.journal.closed()) end_process();
  if (random_.one_in(3)) clients_.ask_again(false);
  if (rotten_ && random_.one_in(2)) end_rot();
}

void universe::use_gateway() {
  for (auto i = random_.below(gateway_steps_a_round); i > 0; --i) wire_->act();
  if (random_.one_in(60)) views_->rebuild_soon();
  if (const auto& what = wire_->broken()) check_.fail(*what);
  if (const auto& what = views_->broken()) check_.fail(*what);
}

std::optional<std::string> universe::run() {
  std::string on;
  for (std::size_t kind = 0; kind < fault_kinds; ++kind)
    if (faults_.on(static_cast<fault>(kind)))
      on += " " + std::string{name_of(static_cast<fault>(kind))};
  world_.note("faults on:{}", on);
  clients_.begin();
  for (unsigned round_number = 0; round_number < options_.rounds && !check_.broken();
       ++round_number)
    round();
  if (!check_.broken()) finish();
  return check_.broken();
}

void universe::fault_step() {
  disk_fault();
  host_fault();
  clock_fault();
  if (faults_.strikes(fault::connections_cut, 6)) terminals_.cut_one();
  if (random_.one_in(8)) terminals_.stumble();
}

void universe::disk_fault() {
  auto& journal = server_.journal;
  if (faults_.strikes(fault::sync_error, 40)) journal.fail_sync(random_.one_in(2));
  if (faults_.strikes(fault::full_disk, 40)) {
    journal.fail_sync(false);
    server_.bulk.refuse(true);
  }
  if (!rotten_ && journal.head().offset > 0 && faults_.strikes(fault::bit_rot, 16)) rot();
}

void universe::host_fault() {
  auto& host = server_.host;
  const auto running = [&] { return host.running_environments(); };
  if (faults_.strikes(fault::agent_killed, 16)) {
    if (const auto all = running(); !all.empty()) {
      const auto& victim = all[random_.below(all.size())];
      ++losses_allowed_[victim];
      world_.note("the agent of {} is killed", victim.value);
      host.lose(victim);
    }
  }
  if (faults_.strikes(fault::launcher_lost, 40)) {
    for (const auto& each : running()) ++losses_allowed_[each];
    world_.note("the launcher is killed");
    host.lose_all("launcher lost");
  }
  if (faults_.strikes(fault::stale_loss, 8)) host.repeat_loss(random_.below(64));
  if (random_.one_in(8)) host.release();
}

void universe::clock_fault() {
  if (faults_.strikes(fault::clock_forward, 24)) {
    const std::chrono::seconds by{random_.one_in(8) ? 25 * 3'600 : random_.below(600)};
    world_.note("the clock jumps {} s ahead", by.count());
    check_.excuse(server_.clock.now(), server_.clock.now() + by);
    server_.clock.advance(by);
    pass({});
  }
  if (faults_.strikes(fault::clock_back, 24)) {
    const std::chrono::seconds by{random_.below(120)};
    world_.note("the clock jumps {} s back", by.count());
    server_.clock.advance(-by);
    set_back_ += by;
  }
}

void universe::pass(microseconds by) {
  const auto from = server_.clock.now();
  server_.pass(by);
  if (server_.journal.closed() || rotten_) check_.excuse(from, server_.clock.now());
}

void universe::finish() {
  faults_.quieten();
  if (rotten_) end_rot();
  // A clock that was put back delays deadlines by so much.
  check_.excuse(server_.clock.now(), server_.clock.now() + set_back_);
  server_.clock.advance(set_back_);
  server_.manners = {};
  server_.bulk.refuse(false);
  const auto rest = [this](microseconds time) {
    server_.host.release();
    pass(time);
    // A sync that was to fail still does; then the machine is given time once more.
    if (!server_.journal.closed()) return;
    end_process();
    pass(time);
  };
  // In half of the universes what hangs goes on hanging: then deadlines must end it.
  if (random_.one_in(2)) rest(std::chrono::seconds{1});
  clients_.ask_again(true);
  pass(std::chrono::minutes{3});
  if (server_.journal.closed()) {
    end_process();
    pass(std::chrono::minutes{3});
  }
  check_world();
  clients_.check_watches();
  // Clients must get what they want by themselves, not only from a server that starts again.
  if (wire_ && !check_.broken())
    if (const auto what = wire_->finish()) check_.fail(*what);
  end_process();
  for (int tries = 0; tries < 3; ++tries) {
    clients_.ask_again(true);
    rest(std::chrono::minutes{1});
  }
  clients_.read_everything();
  server_.settle();
  check_.walk();
  for (const auto& op : check_.operations())
    if (op.sends > 0 && op.answers == 0 && op.how != operation::way::exec)
      check_.fail("command " + std::to_string(op.number) + " was never answered");
  check_world();
  terminals_.check_ends();
  check_.walk();
  if (!wire_ || check_.broken()) return;
  if (const auto what = wire_->finish()) check_.fail(*what);
  if (const auto what = views_->finish()) check_.fail(*what);
}

// Promise 4, and that the world is what the log says.
void universe::check_world() {
  check_.walk();
  std::map<std::string, unsigned> runs;
  for (const auto& each : server_.host.execs) ++runs[each.command.back()];
  for (const auto& [exec, times] : runs)
    if (times > 1) check_.fail("exec " + exec + " ran " + std::to_string(times) + " times");
  for (const auto& id : clients_.accounts())
    if (const auto* account = check_.account(id))
      for (const auto& [environment, entry] : account->environments)
        if (!entry.confirmed) check_.fail(environment.value + " was asked for and never made");
  for (const auto& [owner, id] : clients_.environments()) {
    const auto* model = check_.environment(id);
    ++stats_.checks;
    if (!model) continue;
    using environment::status;
    const auto name = std::string{environment::name_of(model->status)};
    const bool runs_there = server_.host.running(id);
    if ((model->status == status::running) != runs_there)
      check_.fail("environment " + id.value + " is " + name +
                  (runs_there ? " and runs" : " and does not run"));
    const bool is_transient = model->status == status::creating ||
                              model->status == status::starting ||
                              model->status == status::stopping;
    if (is_transient) check_.fail("environment " + id.value + " is still " + name);
    if (check_.losses(id) > losses_allowed_[id] + stats_.power_cuts)
      check_.fail("environment " + id.value + " was called lost, and was not");
    if (model->status == status::deleted && server_.host.exists(id))
      check_.fail("environment " + id.value + " is deleted and still there");
    const auto* account = check_.account(owner);
    if (model->status == status::deleted && account && account->environments.contains(id))
      check_.fail("environment " + id.value + " is deleted and keeps its name");
  }
}

universe_stats universe::stats() const {
  auto all = stats_;
  all.universes = 1;
  all.commands = clients_.stats().commands;
  all.sends = clients_.stats().sends;
  all.accepted = clients_.stats().accepted;
  all.faults = faults_.total();
  all.fault_kinds = faults_.kinds();
  all.terminal_bytes = terminals_.bytes();
  all.checks += check_.checks() + terminals_.checks();
  if (!wire_) return all;
  const auto& wire = wire_->stats();
  ++all.with_gateway;
  all.commands += wire.requests;
  all.terminal_bytes += wire.bytes;
  all.connections += wire.connections;
  all.resumes += wire.resumes;
  all.commits_folded += views_->stats().commits_folded;
  all.checks += wire.checks + views_->stats().checks;
  return all;
}

}  // namespace berth::sim
