#include "tests/support/random_commands.hpp"

#include "events/core/instance_type.hpp"

namespace berth::test {

std::string chance::bytes(std::size_t size_max) {
  std::string out(below(size_max + 1), '\0');
  for (auto& c : out) c = static_cast<char>(below(256));
  return out;
}

uuid chance::id(std::uint64_t pool) {
  return uuid::derived("test", std::to_string(below(pool)));
}

microseconds random_step(chance& any) {
  if (any.one_in(12)) return std::chrono::seconds{any.below(200)};
  if (any.one_in(40)) return std::chrono::hours{any.below(24 * 40)};
  return microseconds{any.below(3'000'000)};
}

namespace {

std::string random_name(chance& any) {
  return any.pick({"debian", "web", "a", "-bad", "UPPER", "", "x-9"});
}
std::string random_type(chance& any) {
  return any.pick({"lightweight", "balanced", "compute", "memory", "lightweight", "huge"});
}

environment::exec random_exec(chance& any) {
  environment::exec c;
  c.id.value = any.pick({"exec_1", "exec_2", "exec_3"});
  c.effect = any.id(3);
  c.command = {any.pick({"true", "sleep", ""}), "x"};
  if (any.one_in(3)) c.env = {{"A", "1"}, {any.pick({"B", "C=D", ""}), "2"}};
  if (any.one_in(3)) c.stdin_bytes = any.bytes(20);
  if (any.one_in(4)) c.working_directory = any.pick({"/workspace", "relative"});
  c.timeout_ms = static_cast<std::uint32_t>(any.below(60'000));
  return c;
}

environment::command random_request(chance& any) {
  switch (any.below(6)) {
    case 0:
      return environment::create{{any.pick({"acct_1", "acct_2", ""})},
                                 random_name(any),
                                 random_type(any),
                                 "host",
                                 std::string{current_price_list}};
    case 1:
      return environment::start{};
    case 2:
      return environment::stop{static_cast<environment::stop_reason>(any.below(3))};
    case 3:
      return any.one_in(8) ? environment::command{environment::remove{}} : environment::start{};
    case 4:
      return environment::record_activity{any.pick({"keyboard", "http", ""})};
    default:
      return random_exec(any);
  }
}

}  // namespace

environment::command random_command(chance& any, const environment::state& present, timestamp now) {
  if (present.status == environment::status::absent || any.one_in(3)) return random_request(any);
  if (!present.pending_execs.empty() && any.one_in(4)) {
    const auto& id = present.pending_execs.begin()->first;
    if (any.one_in(2)) return environment::report_exec_unknown{id, "agent gone"};
    return environment::report_exec{
        id, 3, any.bytes(30), any.bytes(30), any.one_in(2), any.one_in(2), 1};
  }
  const auto incarnation = any.one_in(4) ? std::string{"old"} : present.incarnation;
  switch (any.below(9)) {
    case 0:
      return environment::report_provisioned{};
    case 1:
      return environment::report_started{any.pick({"life-1", "life-2"}), {"host_1"}};
    case 2:
      return environment::report_stopped{};
    case 3:
      return environment::report_deleted{};
    case 4:
      return environment::report_failed{
          any.one_in(2) ? present.status : environment::status::creating,
          any.pick({"disk full", "\xff\xfe", ""}), "try again"};
    case 5:
      return environment::report_lost{incarnation, "gone",
                                      now - microseconds{any.below(100'000'000)}};
    case 6:
      return environment::report_exec{{any.pick({"exec_1", "exec_2", "exec_9"})},
                                      3,
                                      any.bytes(30),
                                      any.bytes(30),
                                      any.one_in(2),
                                      any.one_in(2),
                                      any.below(1000)};
    case 7:
      return environment::report_exec_unknown{{any.pick({"exec_1", "exec_2"})}, "agent gone"};
    default:
      return environment::deadline_passed{};
  }
}

account::command random_command(chance& any, const account::state&, timestamp now) {
  switch (any.below(any.one_in(20) ? 7 : 6)) {
    case 0:
      return account::create{random_name(any), static_cast<account::role>(any.below(2))};
    case 1: {
      account::issue_token c{
          {any.pick({"tok_1", "tok_2", "tok_3"})}, any.pick({"ci", "laptop"}), {}, {}};
      c.hash[0] = static_cast<std::uint8_t>(any.below(3));
      if (any.one_in(3)) c.expires_at = now + std::chrono::seconds{any.below(1000)};
      return c;
    }
    case 2:
      return account::revoke_token{{any.pick({"tok_1", "tok_2", "tok_3"})}};
    case 3:
      return account::request_environment{{any.pick({"env_1", "env_2", "env_3"})},
                                          random_name(any),
                                          random_type(any),
                                          any.pick({"host", ""}),
                                          std::string{current_price_list},
                                          any.id(5)};
    case 4:
      return account::confirm_environment{{any.pick({"env_1", "env_2"})}};
    case 5:
      return account::release_name{{any.pick({"env_1", "env_2", "env_3"})}};
    default:
      return account::disable{"unpaid"};
  }
}

terminal::command random_command(chance& any, const terminal::state&, timestamp) {
  switch (any.below(8)) {
    case 0:
      return terminal::open{{any.pick({"acct_1", "acct_2"})},
                            {any.pick({"env_1", "env_2", ""})},
                            static_cast<std::uint16_t>(any.below(1100)),
                            24,
                            {},
                            "",
                            static_cast<terminal::journal_mode>(any.below(3)),
                            any.below(2) * 1000};
    case 1:
      return terminal::resize{any.below(1000), static_cast<std::uint16_t>(any.below(1100)), 40};
    case 2:
      return terminal::take_drive{{any.pick({"sess_1", "sess_2", ""})}};
    case 3:
      return terminal::close{};
    case 4:
      return any.one_in(3) ? terminal::command{terminal::remove{}} : terminal::close{};
    case 5:
      return terminal::report_started{"life-1", 42};
    case 6: {
      terminal::report_ended c{any.below(5000), std::nullopt, 0, "exited", ""};
      if (any.one_in(2)) c.exit_code = static_cast<std::int32_t>(any.below(3));
      return c;
    }
    default:
      return terminal::deadline_passed{};
  }
}

session::command random_command(chance& any, const session::state&, timestamp) {
  const auto connection = "conn-" + std::to_string(any.below(100));
  switch (any.below(7)) {
    case 0:
      return session::open{
          {any.pick({"acct_1", "acct_2"})}, {"tok_1"}, any.pick({"curl", "web"}), any.id(3)};
    case 1:
    case 2:
      return session::attach{connection, "127.0.0.1"};
    case 3:
      return session::detach{connection};
    case 4:
      return session::hand_over{any.pick({"phone", "web"}), any.id(3)};
    case 5:
      return any.one_in(5) ? session::command{session::close{}} : session::detach{connection};
    default:
      return session::expire{};
  }
}

host::command random_command(chance& any, const host::state&, timestamp now) {
  if (any.one_in(4)) return host::enlist{any.pick({"boot-1", "boot-2", ""}), "sandbox"};
  if (any.one_in(8)) return host::cordon{};
  if (any.one_in(8)) return host::uncordon{};
  return host::record_alive{now - microseconds{any.below(100'000'000)} + std::chrono::seconds{10}};
}

}  // namespace berth::test
