// account create | list, token create | list | revoke.
#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

struct options {
  std::string name;
  std::string role{"member"};
  std::string account;
  std::string label;
  std::string expires_at;
  std::string token;
};

std::string own_account(app& run, const std::string& named) {
  if (!named.empty()) return encoded(named);
  return text_of(run.authorised().get("/api/v1/auth/whoami"), "account.id");
}

void print_token(app& run, const json::value& answer) {
  run.print_object(answer, {{"TOKEN", "token.id"},
                            {"LABEL", "token.label"},
                            {"EXPIRES", "token.expires_at"},
                            {"SECRET", "secret"}});
  run.note("the secret is shown this once; keep it like a password");
}

void add_account(CLI::App& top, app& run, const std::shared_ptr<options>& asked) {
  auto* group = top.add_subcommand("account", "accounts (administrators)");
  group->require_subcommand(1);
  auto* create = group->add_subcommand("create", "make an account");
  create->add_option("name", asked->name, "its name")->required();
  create->add_option("--role", asked->role, "member or admin")
      ->check(CLI::IsMember({"member", "admin"}));
  create->callback([&run, asked] {
    const auto answer = run.authorised().post(
        "/api/v1/accounts", json::object{{"name", asked->name}, {"role", asked->role}});
    run.print_object(answer, {{"ACCOUNT", "account.name"},
                              {"ID", "account.id"},
                              {"ROLE", "account.role"},
                              {"SECRET", "secret"}});
    run.note("the secret is its first token, shown this once: devctl login --token-stdin");
  });
  group->add_subcommand("list", "all accounts")->callback([&run] {
    run.print_list(run.authorised().list("/api/v1/accounts"),
                   {{"NAME", "name"}, {"ROLE", "role"}, {"CREATED", "created_at"}, {"ID", "id"}},
                   "no accounts");
  });
}

}  // namespace

void add_account_commands(CLI::App& top, app& run) {
  auto asked = std::make_shared<options>();
  add_account(top, run, asked);
  auto* group = top.add_subcommand("token", "API tokens");
  group->require_subcommand(1);
  const auto with_account = [&asked](CLI::App* command) {
    command->add_option("--account", asked->account, "name or id (default: your own)");
    return command;
  };
  auto* create = with_account(group->add_subcommand("create", "make a token"));
  create->add_option("--label", asked->label, "what it is for")->required();
  create->add_option("--expires-at", asked->expires_at, "RFC 3339 time (default: never)");
  create->callback([&run, asked] {
    json::object body{{"label", asked->label}};
    if (!asked->expires_at.empty()) body["expires_at"] = asked->expires_at;
    const auto account = own_account(run, asked->account);
    print_token(run, run.authorised().post("/api/v1/accounts/" + account + "/tokens", body));
  });
  with_account(group->add_subcommand("list", "tokens, without their secrets"))
      ->callback([&run, asked] {
        const auto account = own_account(run, asked->account);
        run.print_list(run.authorised().list("/api/v1/accounts/" + account + "/tokens"),
                       {{"ID", "id"},
                        {"LABEL", "label"},
                        {"ISSUED", "issued_at"},
                        {"EXPIRES", "expires_at"},
                        {"REVOKED", "revoked"}},
                       "no tokens");
      });
  auto* revoke = with_account(group->add_subcommand("revoke", "end a token"));
  revoke->add_option("token", asked->token, "its id (tok_…)")->required();
  revoke->callback([&run, asked] {
    const auto account = own_account(run, asked->account);
    run.authorised().call(
        {.method = "DELETE",
         .path = "/api/v1/accounts/" + account + "/tokens/" + encoded(asked->token)});
    run.note("revoked " + asked->token);
  });
}

}  // namespace berth::devctl
