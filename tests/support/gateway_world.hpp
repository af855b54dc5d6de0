// All that the gateway's routes need, in memory and in one thread: a request's answer is there when
// call() returns, unless it waits for time (fire_timers) or for a later commit.
#pragma once

#include <deque>

#include <boost/json.hpp>

#include "gateway/auth/api_token.hpp"
#include "gateway/auth/authenticator.hpp"
#include "gateway/http_convert.hpp"
#include "gateway/router.hpp"
#include "gateway/services.hpp"
#include "gateway/target.hpp"
#include "infra/memory/memory_bulk_log.hpp"
#include "infra/memory/memory_view_store.hpp"
#include "projections/projector.hpp"
#include "tests/support/fake_host.hpp"
#include "tests/support/fake_kernel.hpp"
#include "tests/support/partitioned_journal.hpp"

namespace berth::testing {

struct gateway_world {
  explicit gateway_world(std::uint32_t partitions = 1) : journal{clock, partitions} {}

  manual_clock clock;
  partitioned_journal journal;
  memory_bulk_log bulk;
  memory_view_store views;
  fake_host host;
  fake_kernel kernel{clock, journal};
  projector projections{journal, views};
  std::recursive_mutex projecting;
  bool is_ready{true};
  bool views_keep_up{true};

  gateway::services services{
      kernel,
      views,
      journal,
      bulk,
      host,
      clock,
      key(),
      [] { return std::string("berthd_up 1\n"); },
      [this] { return is_ready; },
      [this](const journal_cursor&, std::chrono::milliseconds, std::function<void(bool)> done) {
        if (views_keep_up) project();
        done(views_keep_up);
      }};
  gateway::authenticator auth{services};
  std::deque<std::function<void()>> timers;
  gateway::router router{
      services, auth,
      [this](std::chrono::milliseconds delay, std::function<void()> run) -> std::shared_ptr<void> {
        if (delay.count() == 0) return run(), nullptr;
        timers.push_back(std::move(run));
        return nullptr;
      },
      false};
  std::string admin_token = make_account("admin", account::role::admin);

  static std::array<std::uint8_t, 32> key() {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(7);
    return bytes;
  }

  void project() {
    const std::scoped_lock held(projecting);
    if (!projections.catch_up()) std::abort();
  }

  // An account and a token's text.
  std::string make_account(const std::string& name, account::role role = account::role::member) {
    const auto id = gateway::account_id_of(name);
    const auto token = gateway::make_api_token(
        services.server_key, id, gateway::token_id_of(id, uuid::derived("test", name)));
    const auto created =
        kernel.system_ask<account::aggregate>(id.value, account::create{name, role});
    const auto issued = kernel.system_ask<account::aggregate>(
        id.value, account::issue_token{token.token, "test", token.hash, {}});
    if (!created || !issued) std::abort();
    return token.text;
  }

  struct answer_slot {
    std::optional<gateway::response> given;
    int times{};
    boost::json::object json() const { return boost::json::parse(given->body).as_object(); }
    int status() const { return given ? given->status : 0; }
    std::string code() const { return std::string(json().at("code").as_string()); }
  };
  using slot = std::shared_ptr<answer_slot>;
  using headers = std::map<std::string, std::string>;

  gateway::request ask(const std::string& method, const std::string& target,
                       const std::string& body, const std::string& token, headers more = {}) {
    gateway::request asked;
    asked.method = method;
    if (!gateway::split_target(target, asked)) std::abort();
    asked.headers = std::move(more);
    if (!token.empty()) asked.headers["authorization"] = "Bearer " + token;
    if (!body.empty()) asked.headers.emplace("content-type", "application/json");
    asked.body = body;
    asked.request_id = gateway::fresh_request_id();
    asked.remote = "127.0.0.1";
    return asked;
  }

  slot send(gateway::request asked) {
    auto into = std::make_shared<answer_slot>();
    router.dispatch(std::move(asked), [into](gateway::response given) {
      ++into->times;
      into->given = std::move(given);
    });
    return into;
  }

  // As the administrator unless told otherwise; an empty token sends none.
  slot call(const std::string& method, const std::string& target, const std::string& body = {},
            headers more = {}) {
    return send(ask(method, target, body, admin_token, std::move(more)));
  }
  slot call_as(const std::string& token, const std::string& method, const std::string& target,
               const std::string& body = {}, headers more = {}) {
    return send(ask(method, target, body, token, std::move(more)));
  }

  void fire_timers() {
    auto due = std::exchange(timers, {});
    for (auto& run : due) run();
  }

  std::string make_environment(const std::string& name, const std::string& token = {}) {
    const auto made = call_as(token.empty() ? admin_token : token, "POST", "/api/v1/environments",
                              R"({"name":")" + name + R"(","instance_type":"lightweight"})");
    if (made->status() != 201) std::abort();
    return std::string(made->json().at("environment").at("id").as_string());
  }
};

}  // namespace berth::testing
