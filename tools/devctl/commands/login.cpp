// login, logout, whoami.
#include <cstdio>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"

namespace berth::devctl {
namespace {

constexpr std::size_t token_bytes_max = 4096;

std::string read_token(const std::string& file) {
  std::string text;
  if (file.empty() || file == "-") {
    std::getline(std::cin, text);
  } else {
    std::ifstream in(file);
    if (!in || !std::getline(in, text))
      throw failure(exit_usage, fmt::format("cannot read a token from {}", file),
                    "on the server's machine it is DIR/admin-token, readable by its owner");
  }
  if (text.empty() || text.size() > token_bytes_max)
    throw failure(exit_usage, "no token was given",
                  "pass --token-file FILE, or the token on standard input with --token-stdin");
  return text;
}

struct login_options {
  std::string token_file;
  bool token_stdin{};
};

void login(app& run, const login_options& asked) {
  if (asked.token_file.empty() && !asked.token_stdin)
    throw failure(exit_usage, "login needs a token",
                  "pass --token-file FILE or --token-stdin; a token is never an argument");
  config fresh;
  fresh.server = normal_server(run.server_flag.empty() ? run.configured().server : run.server_flag);
  fresh.ca_file = run.configured().ca_file;
  fresh.token = read_token(asked.token_file);
  while (!fresh.token.empty() && std::isspace(static_cast<unsigned char>(fresh.token.back())))
    fresh.token.pop_back();
  rest_client probe(fresh);
  const auto me = probe.get("/api/v1/auth/whoami");
  save_config(fresh);
  run.note(fmt::format("logged in to {}; saved in {}", fresh.server, config_path().string()));
  run.print_object(me, {{"ACCOUNT", "account.name"}, {"ROLE", "account.role"}});
}

}  // namespace

void add_login_commands(CLI::App& top, app& run) {
  auto* login_command = top.add_subcommand("login", "remember a server and a token");
  auto asked = std::make_shared<login_options>();
  login_command->add_option("--token-file", asked->token_file, "file that holds the token");
  login_command->add_flag("--token-stdin", asked->token_stdin,
                          "read the token from standard input");
  login_command->callback([&run, asked] { login(run, *asked); });

  top.add_subcommand("logout", "forget the token")->callback([&run] {
    auto kept = run.configured();
    kept.token.clear();
    save_config(kept);
    run.note("logged out; the token itself is still valid: `devctl token revoke` ends it");
  });
  top.add_subcommand("whoami", "the account this token belongs to")->callback([&run] {
    run.print_object(run.authorised().get("/api/v1/auth/whoami"), {{"ACCOUNT", "account.name"},
                                                                   {"ID", "account.id"},
                                                                   {"ROLE", "account.role"},
                                                                   {"TOKEN", "token_id"}});
  });
}

}  // namespace berth::devctl
