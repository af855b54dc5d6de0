// session list | close.
#include "tools/devctl/app.hpp"

namespace berth::devctl {

void add_session_commands(CLI::App& top, app& run) {
  auto* group = top.add_subcommand("session", "devices that are, or were, connected");
  group->require_subcommand(1);
  group->add_subcommand("list", "your sessions")->callback([&run] {
    run.print_list(run.authorised().list("/api/v1/sessions"),
                   {{"ID", "id"},
                    {"CLIENT", "client"},
                    {"OPENED", "opened_at"},
                    {"LAST SEEN", "last_seen_at"},
                    {"CONNECTIONS", "connections"},
                    {"CLOSED", "closed"}},
                   "no sessions");
  });
  auto id = std::make_shared<std::string>();
  auto* close = group->add_subcommand("close", "log a device out");
  close->add_option("session", *id, "its id (sess_…)")->required();
  close->callback([&run, id] {
    run.authorised().call({.method = "DELETE", .path = "/api/v1/sessions/" + encoded(*id)});
    run.note("closed " + *id);
  });
}

}  // namespace berth::devctl
