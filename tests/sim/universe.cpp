#include "tests/sim/universe.hpp"

namespace berth::sim {

namespace {
constexpr int rounds = 60;
constexpr std::size_t accounts = 2;
constexpr account::secret_hash some_hash{1};
}  // namespace

void universe_stats::operator+=(const universe_stats& other) {
  commands += other.commands;
  acknowledged += other.acknowledged;
  retried += other.retried;
  crashes += other.crashes;
  faults += other.faults;
  reboots += other.reboots;
  terminal_bytes += other.terminal_bytes;
  checks += other.checks;
}

universe::universe(std::uint64_t seed)
    : server_{seed, [] {
                kernel_limits limits;
                limits.snapshot_every_events = 8;  // so that most recoveries meet one
                limits.terminal_hot_bytes_max = 4096;
                limits.terminal_free_window_bytes = 64 * 1024;
                return limits;
              }()} {}

void universe::broken(const std::string& what) {
  if (!broken_) broken_ = what;
}

void universe::acknowledged(const account_id& scope, const command_id& id, const stream_id& stream,
                            stream_version version, bool replayed) {
  ++stats_.checks;
  answered_.emplace(scope, id);
  const auto [known, fresh] =
      acknowledged_.try_emplace({scope, id}, acknowledged_command{stream, version});
  if (fresh) ++stats_.acknowledged;
  if (!fresh && known->second.version != version)
    broken("a retry of " + id.text() + " was answered with version " +
           std::to_string(version.value) + ", before it was " +
           std::to_string(known->second.version.value));
  (void)replayed;
}

template <class A, class Id>
void universe::ask(const Id& id, typename A::command what, const account_id& account) {
  const auto meta = server_.meta_for(account);
  const stream_id stream{A::kind, id.value};
  const auto send = [this, id, what, meta, account, stream] {
    ++stats_.commands;
    server_.ask().ask(id, what, meta, [this, account, meta, stream](const auto& got) {
      if (got) return acknowledged(account, meta.id, stream, got->version, got->replayed);
      // A refusal is an answer; a lost or unknown one is retried.
      if (got.error().code != rejection_code::unknown_outcome &&
          got.error().code != rejection_code::overloaded)
        answered_.emplace(account, meta.id);
      if (got.error().code == rejection_code::idempotency_conflict)
        broken("a retry was called a conflict");
    });
  };
  unanswered_.push_back([this, account, meta, send] {
    if (answered_.contains({account, meta.id})) return;
    ++stats_.retried;
    send();
  });
  send();
}

void universe::client_step() {
  const auto& account = accounts_[pick(accounts_.size())];
  const auto action = pick(12);
  if (action == 0 || environments_.empty()) {
    const auto meta = server_.meta_for(account);
    const std::string name = "env-" + std::to_string(pick(6));
    const auto send = [this, account, meta, name] {
      ++stats_.commands;
      server_.ask().create_environment(
          account, {account, name, "lightweight", "host", "2026-11"}, meta,
          [this, account, meta](const auto& got) {
            if (got)
              return acknowledged(account, meta.id, {aggregate_kind::account, account.value},
                                  got->version, got->replayed);
            if (got.error().code != rejection_code::unknown_outcome)
              answered_.emplace(account, meta.id);
          });
    };
    environments_.emplace_back(account, environment_id{derived_id("env", account.value, meta.id)});
    unanswered_.push_back([this, account, meta, send] {
      if (!answered_.contains({account, meta.id})) ++stats_.retried, send();
    });
    return send();
  }
  const auto [owner, environment] = environments_[pick(environments_.size())];
  switch (action) {
    case 1:
      return ask<environment::aggregate>(environment, environment::stop{}, owner);
    case 2:
      return ask<environment::aggregate>(environment, environment::start{}, owner);
    case 3:
      return pick(4) == 0 ? ask<environment::aggregate>(environment, environment::remove{}, owner)
                          : void();
    case 4:
      return ask<environment::aggregate>(environment, environment::record_activity{"keys"}, owner);
    case 5:
      return ask<account::aggregate>(
          account,
          account::issue_token{
              {derived_id("tok", account.value, server_.fresh_command())}, "t", some_hash, {}},
          account);
    case 6:
      return ask<environment::aggregate>(
          environment,
          environment::exec{{derived_id("exec", owner.value, server_.fresh_command())},
                            server_.fresh_command(),
                            {"true"},
                            {},
                            {},
                            {},
                            1000},
          owner);
    case 7:
    case 8: {
      if (!server_.host.running(environment) || terminals_.size() >= 4) return;
      watched_terminal fresh;
      fresh.id = {derived_id("term", owner.value, server_.fresh_command())};
      fresh.environment = environment;
      fresh.account = owner;
      ask<terminal::aggregate>(fresh.id, terminal::open{owner, environment, 80, 24, {}, {}, {}, 0},
                               owner);
      terminals_.push_back(std::move(fresh));
      return;
    }
    default:
      return print_something();
  }
}

void universe::print_something() {
  if (terminals_.empty()) return;
  auto& each = terminals_[pick(terminals_.size())];
  if (!each.viewer) reattach(each);
  if (!server_.host.terminal_alive(each.id)) return;
  std::string bytes(pick(20'000), '\0');
  for (auto& byte : bytes) byte = static_cast<char>(server_.random());
  each.printed += bytes;
  server_.host.feed(each.id, bytes);
  if (each.viewer && each.viewer->attachment() && pick(2) == 0) {
    const std::string key(1, static_cast<char>('a' + each.input_sent % 26));
    each.typed += key;
    each.viewer->attachment()->input(++each.input_sent, key);
  }
}

void universe::reattach(watched_terminal& each) {
  const auto viewer = std::make_shared<testing::recording_viewer>(each.seen.size());
  each.viewer = viewer;
  server_.ask().attach({each.id,
                        {each.account, "tok", false},
                        {"sess_1"},
                        input_stream_id{{7}},
                        attach_mode::exact,
                        attach_right::drive,
                        each.seen.size(),
                        ~0ULL >> 1},
                       viewer, [viewer](auto got) { viewer->attached(std::move(got)); });
}

void universe::collect(watched_terminal& each) {
  if (!each.viewer) return;
  each.seen += each.viewer->bytes;
  stats_.terminal_bytes += each.viewer->bytes.size();
  ++stats_.checks;
  if (each.printed.compare(0, each.seen.size(), each.seen) != 0)
    broken("terminal " + each.id.value +
           ": what the client has is not a prefix of what was printed");
  each.viewer->detach();
  each.viewer.reset();
}

void universe::fault_step() {
  const host_error trouble{host_errc::io, "simulated", "none"};
  ++stats_.faults;
  switch (pick(7)) {
    case 0:
      return server_.host.fail_next(testing::host_call::create, trouble);
    case 1:
      return server_.host.fail_next(testing::host_call::start, trouble);
    case 2:
      return server_.host.hang_next(testing::host_call::start);
    case 3:
      return server_.host.fail_next(testing::host_call::destroy, trouble);
    case 4:
      return (void)server_.host.release();
    case 5: {
      const auto running = server_.host.running_environments();
      if (running.empty()) return;
      const auto& victim = running[pick(running.size())];
      ++losses_[victim];
      return server_.host.lose(victim);
    }
    default:
      return server_.pass(std::chrono::seconds{1 + pick(100)});
  }
}

void universe::crash() {
  ++stats_.crashes;
  for (auto& each : terminals_) collect(each);
  server_.crash(pick(2) == 0);
  if (pick(6) == 0) {
    ++stats_.reboots;
    server_.host.reboot();
  }
  server_.boot();
  check_journal();
  for (auto& each : unanswered_) each();
}

std::optional<std::string> universe::run() {
  for (std::size_t i = 0; i < accounts; ++i)
    accounts_.push_back(server_.make_account("account-" + std::to_string(i)));
  for (int round = 0; round < rounds && !broken_; ++round) {
    for (auto i = 1 + pick(8); i > 0; --i) client_step();
    for (auto i = pick(60); i > 0; --i) server_.step();
    if (pick(8) == 0) fault_step();
    if (pick(10) == 0) crash();
    if (pick(6) == 0) server_.pass(std::chrono::milliseconds{pick(5000)});
  }
  server_.host.release();
  server_.pass(std::chrono::minutes{5});
  crash();
  server_.host.release();
  server_.pass(std::chrono::minutes{5});
  check_journal();
  check_states();
  check_terminals();
  return broken_;
}

// Promises 1, 2, 3: everything acknowledged is there, once; versions have no gap.
void universe::check_journal() {
  std::map<stream_id, std::uint64_t> versions;
  std::map<std::pair<account_id, command_id>, acknowledged_command> found;
  std::uint64_t offset = 0;
  timestamp last_time;
  for (;;) {
    const auto some = server_.journal.read({0, offset + 1}, 500);
    if (!some || some->empty()) break;
    for (const auto& each : *some) {
      ++stats_.checks;
      if (each.at().offset != ++offset)
        return broken("the journal has a gap at offset " + std::to_string(offset));
      if (each.envelope.time < last_time) return broken("commit time went back");
      last_time = each.envelope.time;
      auto& version = versions[each.body.stream];
      if (each.body.first.value != version + 1)
        return broken("versions of " + each.body.stream.text() + " have a gap");
      version = each.body.last().value;
      if (!found
               .try_emplace({each.body.by.account, each.body.command},
                            acknowledged_command{each.body.stream, {version}})
               .second)
        return broken("command " + each.body.command.text() + " was executed twice");
      trace_ = trace_ * 1099511628211ULL ^ content_hash(encode_body(each.body));
    }
  }
  for (const auto& [key, command] : acknowledged_)
    if (!found.contains(key))
      return broken("acknowledged command " + key.second.text() + " is lost");
}

// Promise 4, and that the world is what the log says.
void universe::check_states() {
  for (const auto& [owner, id] : environments_) {
    environment::state folded, served;
    std::uint64_t lost = 0;
    const auto commits =
        server_.journal.read_stream({aggregate_kind::environment, id.value}, {0}, 100'000);
    for (const auto& each : *commits)
      for (const auto& record : each.body.events) {
        const auto event = environment::aggregate::decode(record);
        lost += std::holds_alternative<environment::lost>(*event) ? 1 : 0;
        folded = environment::aggregate::apply(std::move(folded), *event);
      }
    server_.ask().read(id, principal{owner, "t", false}, [&served](const auto& got) {
      if (got) served = *got->state;
    });
    server_.settle();
    stats_.checks += 3;
    if (lost > losses_[id] + stats_.reboots)
      broken("environment " + id.value + " was called lost, and was not");
    if (folded != served)
      broken("environment " + id.value + ": the state served is not the fold of its events");
    if ((folded.status == environment::status::running) != server_.host.running(id))
      broken("environment " + id.value + " is " + std::string{environment::name_of(folded.status)} +
             (server_.host.running(id) ? " and runs" : " and does not run"));
    if (environment::aggregate::deadline(folded) && folded.status != environment::status::deleting)
      broken("environment " + id.value + " is still " +
             std::string{environment::name_of(folded.status)});
  }
}

// Promise 6.
void universe::check_terminals() {
  for (auto& each : terminals_) {
    collect(each);
    reattach(each);
    server_.pass(std::chrono::seconds{2});
    const auto refused = each.viewer->refused;
    collect(each);
    stats_.checks += 2;
    terminal::state now;
    server_.ask().read(each.id, principal{each.account, "t", false}, [&now](const auto& got) {
      if (got) now = *got->state;
    });
    server_.settle();
    const bool gave_up =
        now.end && now.end->reason == "failed";  // at its deadline: said so, and closed
    if (gave_up && server_.host.terminal_alive(each.id))
      broken("terminal " + each.id.value + " failed and runs");
    if (server_.host.has_terminal(each.id) && !gave_up && !refused &&
        each.seen.size() != each.printed.size())
      broken("terminal " + each.id.value + " is " + std::string{terminal::name_of(now.status)} +
             (now.end ? " (" + now.end->reason + ")" : "") + ": " +
             std::to_string(each.printed.size()) + " bytes printed, " +
             std::to_string(each.seen.size()) + " reached the client");
    if (server_.host.has_terminal(each.id) &&
        each.typed.compare(0, server_.host.typed(each.id).size(), server_.host.typed(each.id)) != 0)
      broken("terminal " + each.id.value + ": what was typed is not what was applied");
  }
}

}  // namespace berth::sim
