// terminal open | attach | list | close.
#include <unistd.h>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/attach.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/local_terminal.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

struct options {
  std::string id;  // of a terminal, or the environment's name
  std::vector<std::string> command;
  std::string mode;
  std::string directory;
  std::optional<std::uint64_t> from;
  bool view{};
  bool detached{};
};

const std::vector<column> row{
    {"ID", "id"},          {"ENVIRONMENT", "environment_id"}, {"STATUS", "status"},
    {"SIZE", "size"},      {"EXIT", "end.exit_code"},         {"OPENED", "opened_at"},
    {"COMMAND", "command"}};

void run_attached(app& run, const options& asked, const std::string& terminal) {
  attach_options how;
  how.terminal = terminal;
  how.view = asked.view;
  how.from = asked.from.value_or(0);
  // A person wants the screen as it is, a file every byte.
  const auto mode = !asked.mode.empty()                      ? asked.mode
                    : ::isatty(STDOUT_FILENO) && !asked.from ? "screen"
                                                             : "exact";
  how.exact = mode == "exact";
  if (::isatty(STDIN_FILENO))
    run.note("attached to " + terminal + "; Enter ~ . or Ctrl-] d detaches, the program goes on");
  const auto done = attach(run.configured(), how);
  if (!done.ended) {
    run.note(fmt::format("detached at offset {}; again: devctl terminal attach {}", done.cursor,
                         terminal));
    return;
  }
  if (done.exit_code) {
    run.note(fmt::format("terminal ended: exit status {}", *done.exit_code));
    run.exit = *done.exit_code;
  } else {
    run.note(fmt::format("terminal ended: {}{}", done.reason,
                         done.signal ? fmt::format(", signal {}", done.signal) : ""));
    run.exit = done.signal ? 128 + done.signal : int(exit_error);
  }
}

void open(app& run, const options& asked) {
  const auto size = local_size().value_or(terminal_size{});
  json::object body{{"cols", size.cols}, {"rows", size.rows}};
  if (!asked.command.empty()) body["command"] = json::value_from(asked.command);
  if (!asked.directory.empty()) body["working_directory"] = asked.directory;
  const auto answer = run.authorised().post(environment_path(asked.id) + "/terminals", body);
  const auto& made = answer.at("terminal");
  if (asked.detached) {
    run.print_object(made, {{"ID", "id"}, {"STATUS", "status"}});
    return;
  }
  run_attached(run, asked, text_of(made, "id"));
}

// A terminal by its id, or the newest live one of an environment by the environment's name.
std::string find_terminal(app& run, const std::string& asked) {
  if (asked.starts_with("term_")) return asked;
  std::string newest, opened_at;
  for (const auto& each : run.authorised().list(environment_path(asked) + "/terminals")) {
    if (text_of(each, "status") != "RUNNING" || text_of(each, "opened_at") < opened_at) continue;
    newest = text_of(each, "id");
    opened_at = text_of(each, "opened_at");
  }
  if (newest.empty())
    throw failure(exit_not_found, fmt::format("environment {} has no running terminal", asked),
                  fmt::format("open one: devctl terminal open {}", asked));
  return newest;
}

void list(app& run, const std::string& environment) {
  const auto path = environment.empty() ? std::string("/api/v1/terminals")
                                        : environment_path(environment) + "/terminals";
  auto items = run.authorised().list(path);
  if (!run.json())
    for (auto& each : items)
      each.as_object()["size"] = text_of(each, "cols") + "x" + text_of(each, "rows");
  run.print_list(items, row, "no terminals: devctl terminal open ENVIRONMENT");
}

void add_attach_options(CLI::App& command, const std::shared_ptr<options>& asked) {
  command
      .add_option("--mode", asked->mode,
                  "exact: every byte; screen: the screen as it is (default on a terminal)")
      ->check(CLI::IsMember({"exact", "screen"}));
  command.add_flag("--view", asked->view, "only watch");
}

}  // namespace

void add_terminal_commands(CLI::App& top, app& run) {
  auto* group = top.add_subcommand("terminal", "terminals of environments");
  group->require_subcommand(1);
  auto asked = std::make_shared<options>();

  auto* open_command =
      group->add_subcommand("open", "start a shell (or a command) and attach to it");
  open_command->add_option("environment", asked->id, "name or id")->required();
  open_command->add_option("command", asked->command, "after --: program and arguments");
  open_command->add_option("--directory", asked->directory, "to start in");
  open_command->add_flag("-d,--detach", asked->detached, "start it, print its id, don't attach");
  add_attach_options(*open_command, asked);
  open_command->callback([&run, asked] { open(run, *asked); });

  auto* attach_command = group->add_subcommand("attach", "attach to a running (or ended) terminal");
  attach_command->add_option("terminal", asked->id, "its id, or an environment's name")->required();
  attach_command->add_option("--from", asked->from, "first byte wanted (implies --mode exact)");
  add_attach_options(*attach_command, asked);
  attach_command->callback([&run, asked] {
    run.authorised();
    run_attached(run, *asked, find_terminal(run, asked->id));
  });

  auto* list_command = group->add_subcommand("list", "terminals, of one environment or all");
  list_command->add_option("environment", asked->id, "name or id");
  list_command->callback([&run, asked] { list(run, asked->id); });

  auto* close_command = group->add_subcommand("close", "hang up on a terminal's program");
  close_command->add_option("terminal", asked->id, "its id")->required();
  close_command->callback([&run, asked] {
    run.authorised().call({.method = "DELETE", .path = terminal_path(asked->id)});
    run.note("closed " + asked->id);
  });
}

}  // namespace berth::devctl
