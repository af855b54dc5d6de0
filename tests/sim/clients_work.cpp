// What the clients of a universe ask for.
#include <array>

#include "tests/sim/clients.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t environments_max = 8;
constexpr std::size_t sessions_max = 6;
constexpr std::string_view price_list = "2026-11";

template <std::size_t n>
std::string one_of(testing::seeded_random& random, const std::array<const char*, n>& texts) {
  return texts[random.below(n)];
}

}  // namespace

void clients::use_account(random_type& random) {
  const owned_stream at{any_account(random), {}};
  const stream_id stream{aggregate_kind::account, at.owner.value};
  const auto& by = at.owner;
  const token_id token{"tok_" + std::to_string(random.below(8))};
  const auto asked = [&]() -> account::command {
    switch (random.below(8)) {
      case 0:
        return random.one_in(24) ? account::command{account::disable{"unpaid"}}
                                 : account::create{"account-9", account::role::member};
      case 1:
      case 2:
      case 3:
        return account::revoke_token{token};
      default: {
        account::secret_hash hash{};
        hash[0] = static_cast<std::uint8_t>(1 + random.below(2));
        return account::issue_token{token, "ci", hash, {}};
      }
    }
  }();
  ask(begin_operation(random, by, stream, asked));
}

void clients::use_session(random_type& random) {
  if (sessions_.empty() || (sessions_.size() < sessions_max && random.one_in(4))) {
    const auto& by = any_account(random);
    const session_id id{derived_id("sess", by.value, world_.server.fresh_command())};
    sessions_.push_back({by, {aggregate_kind::session, id.value}});
    const session::open asked{by, {"tok_1"}, "web", world_.server.fresh_command()};
    return ask(begin_operation(random, by, sessions_.back().stream, session::command{asked}));
  }
  const auto& at = sessions_[random.below(sessions_.size())];
  const auto connection = "conn-" + std::to_string(random.below(4));
  const auto asked = [&]() -> session::command {
    switch (random.below(8)) {
      case 0:
        return session::close{session::close_reason::logout};
      case 1:
        return session::hand_over{one_of<2>(random, {"phone", "web"}),
                                  uuid::derived("input", std::to_string(random.below(3)))};
      case 2:
      case 3:
      case 4:
        return session::detach{connection};
      default:
        return session::attach{connection, "127.0.0.1"};
    }
  }();
  const bool is_known = world_.check.acknowledged(at.stream).value > 0;
  const auto& by = is_known ? somebody(random, at) : at.owner;
  auto& op = begin_operation(random, by, at.stream, asked);
  op.is_foreign = by != at.owner;
  ask(op);
}

void clients::create_environment(random_type& random) {
  const auto& by = any_account(random);
  const auto id = world_.server.fresh_command();
  account::request_environment asked;
  asked.environment = {derived_id("env", by.value, id)};
  asked.name = random.one_in(16) ? "Not A Label" : "env-" + std::to_string(random.below(4));
  asked.instance_type = one_of<8>(random, {"lightweight", "balanced", "compute", "memory",
                                           "lightweight", "balanced", "lightweight", "huge"});
  asked.template_name = "host";
  asked.price_list = price_list;
  operation op;
  op.how = operation::way::creates_environment;
  op.by = by;
  op.id = id;
  op.stream = {aggregate_kind::account, by.value};
  op.what = account::command{asked};
  environments_.emplace_back(by, asked.environment);
  ask(world_.check.add(std::move(op)));
}

void clients::run_exec(random_type& random, const owned_stream& at) {
  const auto id = world_.server.fresh_command();
  environment::exec asked;
  asked.id = {derived_id("exec", at.stream.key, id)};
  asked.effect = uuid::derived("exec", at.stream.key, asked.id.value);
  asked.command = {"echo", asked.id.value};
  asked.timeout_ms = static_cast<std::uint32_t>(1'000 + random.below(60'000));
  const auto& by = somebody(random, at);
  operation op;
  op.how = operation::way::exec;
  op.by = by;
  op.is_foreign = by != at.owner;
  op.id = id;
  op.stream = at.stream;
  op.what = environment::command{asked};
  ask(world_.check.add(std::move(op)));
}

void clients::use_environment(random_type& random) {
  if (environments_.empty() || (environments_.size() < environments_max && random.one_in(6)) ||
      random.one_in(24))
    return create_environment(random);
  const auto& [owner, id] = environments_[random.below(environments_.size())];
  const owned_stream at{owner, {aggregate_kind::environment, id.value}};
  const auto asked = [&]() -> environment::command {
    switch (random.below(9)) {
      case 0:
        return random.one_in(2) ? environment::command{environment::remove{}}
                                : environment::record_activity{""};
      case 1:
      case 2:
        return environment::stop{static_cast<environment::stop_reason>(random.below(3))};
      case 3:
      case 4:
      case 5:
        return environment::start{};
      default:
        return environment::record_activity{"keys"};
    }
  };
  if (random.one_in(4)) return run_exec(random, at);
  const auto& by = somebody(random, at);
  auto& op = begin_operation(random, by, at.stream, asked());
  op.is_foreign = by != owner;
  ask(op);
}

void clients::open_terminal(random_type& random) {
  if (environments_.empty()) return;
  const auto& [owner, environment] = environments_[random.below(environments_.size())];
  if (!world_.server.host.running(environment)) return;
  const terminal_id id{derived_id("term", owner.value, world_.server.fresh_command())};
  const auto mode = random.one_in(4) ? terminal::journal_mode::tail : terminal::journal_mode::full;
  const terminal::open asked{owner, environment, 80, 24, {}, {}, mode, 3'000};
  terminals_.watch(id, environment, owner, mode);
  ask(begin_operation(random, owner, {aggregate_kind::terminal, id.value},
                      terminal::command{asked}));
}

void clients::use_terminal(random_type& random) {
  const auto* id = terminals_.any(random);
  if (!id || (!terminals_.full() && random.one_in(3))) return open_terminal(random);
  const owned_stream at{terminals_.owner(*id), {aggregate_kind::terminal, id->value}};
  const auto asked = [&]() -> terminal::command {
    switch (random.below(12)) {
      case 0:
        return terminal::close{};
      case 1:
        return terminal::remove{};
      case 2:
      case 3:
      case 4:
        return terminal::take_drive{terminals_.session_of(random.below(2))};
      default:
        return terminal::resize{
            0, static_cast<std::uint16_t>(random.one_in(16) ? 0 : 70 + random.below(3)), 24};
    }
  }();
  const bool is_known = world_.check.acknowledged(at.stream).value > 0;
  const auto& by = is_known ? somebody(random, at) : at.owner;
  auto& op = begin_operation(random, by, at.stream, asked);
  op.is_foreign = by != at.owner;
  ask(op);
}

}  // namespace berth::sim
