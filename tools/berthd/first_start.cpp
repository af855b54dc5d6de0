#include "tools/berthd/first_start.hpp"

#include <filesystem>
#include <future>

#include "gateway/auth/api_token.hpp"
#include "infra/files/durable.hpp"

namespace berth::berthd {

namespace {

// One command at start, waited for. Ids are derived, so that a repeated start repeats the command,
// not the effect.
template <class Command>
outcome<answer<account::aggregate>> ask_and_wait(kernel& core, const account_id& account,
                                                 Command what, const std::string& name) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  for (;;) {
    auto got = std::make_shared<std::promise<outcome<answer<account::aggregate>>>>();
    core.ask(
        account, what,
        {uuid::derived("first start", account.value, name), system_principal(account), {}, {}, {}},
        [got](auto result) { got->set_value(std::move(result)); });
    auto future = got->get_future();
    if (future.wait_until(until) != std::future_status::ready)
      return reject(rejection_code::unavailable, "no answer within 30 s");
    auto result = future.get();
    // The first nodes of a cluster may take a while to agree on who leads.
    const bool is_early = !result && is_not_led(result.error());
    if (!is_early || std::chrono::steady_clock::now() >= until) return result;
  }
}

}  // namespace

administrator ensure_administrator(kernel& core, const std::array<std::uint8_t, 32>& server_key,
                                   const std::string& token_file) {
  administrator admin{!std::filesystem::exists(token_file), token_file, {}};
  if (!admin.created) return admin;
  const auto account = gateway::account_id_of("admin");
  // A journal that outlived a data directory (Kafka) has an administrator, whose tokens go on; this
  // directory's key gives another.
  const auto of_key =
      uuid::derived("first start", "token",
                    {reinterpret_cast<const char*>(server_key.data()), server_key.size()});
  const auto token =
      gateway::make_api_token(server_key, account, gateway::token_id_of(account, of_key));
  const auto made =
      ask_and_wait(core, account, account::create{"admin", account::role::admin}, "create");
  if (!made && made.error() != rejection_code::name_taken) admin.error = made.error().message;
  if (admin.error) return admin;
  const auto issued =
      ask_and_wait(core, account, account::issue_token{token.token, "first start", token.hash, {}},
                   "token " + of_key.text());
  if (!issued) admin.error = issued.error().message;
  if (admin.error) return admin;
  if (const auto unwritten = write_whole_file(token_file, token.text + "\n"))
    admin.error = unwritten->message;
  return admin;
}

}  // namespace berth::berthd
