// env create | list | show | start | stop | delete | logs | wait, and templates.
#include <cstdio>
#include <iostream>

#include <unistd.h>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

// An environment is created and started in milliseconds; a minute is the server's own deadline for
// it.
constexpr std::chrono::milliseconds wait_max{70'000};

const std::vector<column> row{{"NAME", "name"},          {"STATUS", "status"},
                              {"TYPE", "instance_type"}, {"TEMPLATE", "template"},
                              {"CREATED", "created_at"}, {"ID", "id"}};
const std::vector<column> details{{"NAME", "name"},
                                  {"ID", "id"},
                                  {"STATUS", "status"},
                                  {"CAUSE", "cause"},
                                  {"NEXT STEP", "next_step"},
                                  {"TYPE", "instance_type"},
                                  {"TEMPLATE", "template"},
                                  {"CREATED", "created_at"},
                                  {"CHANGED", "changed_at"},
                                  {"DEADLINE", "deadline"},
                                  {"LAST ACTIVITY", "last_activity_at"},
                                  {"VERSION", "version"}};

struct options {
  std::string name;
  std::string type{"lightweight"};
  std::string template_name;
  std::string state{"RUNNING"};
  bool wait{};
  bool yes{};
  int timeout_s{60};
};

// The failure a creation or start ended in, with the server's cause and next step.
void check_running(const json::value& environment) {
  if (text_of(environment, "status") != "ERROR") return;
  throw failure(exit_error,
                fmt::format("environment {} is in ERROR: {}", text_of(environment, "name"),
                            text_of(environment, "cause")),
                text_of(environment, "next_step"));
}

void print_one(app& run, const json::value& answer) {
  const auto* object = answer.if_object();
  const auto* inner = object ? object->if_contains("environment") : nullptr;
  run.print_object(inner ? *inner : answer, details);
}

void create(app& run, const options& asked) {
  json::object body{{"name", asked.name}, {"instance_type", asked.type}};
  if (!asked.template_name.empty()) body["template"] = asked.template_name;
  const auto answer = run.authorised().call(
      {.method = "POST",
       .path = std::string("/api/v1/environments") + (asked.wait ? "?wait=true" : ""),
       .body = body,
       .timeout = wait_max});
  check_running(answer.at("environment"));
  print_one(run, answer);
  run.note(fmt::format("next: devctl terminal open {}", asked.name));
}

void wait_for(app& run, const options& asked) {
  const auto path = fmt::format("{}/wait?state={}&timeout_ms={}", environment_path(asked.name),
                                encoded(asked.state), asked.timeout_s * 1000);
  print_one(run, run.authorised().call(
                     {.path = path, .timeout = std::chrono::seconds(asked.timeout_s) + wait_max}));
}

void change(app& run, const options& asked, const std::string& verb) {
  const auto path = environment_path(asked.name) + "/" + verb + (asked.wait ? "?wait=true" : "");
  const auto answer = run.authorised().call(
      {.method = "POST", .path = path, .body = json::object{}, .timeout = wait_max});
  if (const auto* object = answer.if_object(); object && object->contains("environment"))
    check_running(object->at("environment"));
  print_one(run, answer);
}

void remove(app& run, const options& asked) {
  if (!asked.yes) {
    if (!::isatty(STDIN_FILENO))
      throw failure(exit_usage, "delete needs a confirmation", "pass --yes");
    fmt::print(stderr, "delete environment {} and everything in it? [y/N] ", asked.name);
    std::string answer;
    if (!std::getline(std::cin, answer) || (answer != "y" && answer != "yes"))
      throw failure(exit_error, "nothing was deleted");
  }
  run.authorised().call({.method = "DELETE",
                         .path = environment_path(asked.name) + (asked.wait ? "?wait=true" : ""),
                         .timeout = wait_max});
  run.note(fmt::format("deleted {}", asked.name));
}

CLI::App* named(CLI::App& group, const std::string& verb, const std::string& help,
                const std::shared_ptr<options>& asked) {
  auto* command = group.add_subcommand(verb, help);
  command->add_option("environment", asked->name, "name or id")->required();
  return command;
}

}  // namespace

void add_environment_commands(CLI::App& top, app& run) {
  auto* group = top.add_subcommand("env", "environments");
  group->require_subcommand(1);
  auto asked = std::make_shared<options>();

  auto* create_command = group->add_subcommand("create", "make and start an environment");
  create_command->add_option("name", asked->name, "its name: letters, digits and '-'")->required();
  create_command->add_option("-t,--type", asked->type, "lightweight, balanced, compute or memory");
  create_command->add_option("--template", asked->template_name,
                             "what is in it (devctl templates)");
  create_command->add_flag("-w,--wait", asked->wait, "until it runs");
  create_command->callback([&run, asked] { create(run, *asked); });

  group->add_subcommand("list", "your environments")->callback([&run] {
    run.print_list(run.authorised().list("/api/v1/environments"), row,
                   "no environments yet: devctl env create NAME");
  });
  named(*group, "show", "one environment", asked)->callback([&run, asked] {
    print_one(run, run.authorised().get(environment_path(asked->name)));
  });
  for (const std::string verb : {"start", "stop"}) {
    auto* command = named(*group, verb, verb + " an environment", asked);
    command->add_flag("-w,--wait", asked->wait, "until it is done");
    command->callback([&run, asked, verb] { change(run, *asked, verb); });
  }
  auto* delete_command = named(*group, "delete", "delete an environment and its files", asked);
  delete_command->add_flag("-y,--yes", asked->yes, "without asking");
  delete_command->add_flag("-w,--wait", asked->wait, "until it is gone");
  delete_command->callback([&run, asked] { remove(run, *asked); });

  auto* wait_command = named(*group, "wait", "until an environment is in a state", asked);
  wait_command->add_option("--state", asked->state, "RUNNING, STOPPED, ERROR, DELETED");
  wait_command->add_option("--timeout", asked->timeout_s, "seconds");
  wait_command->callback([&run, asked] { wait_for(run, *asked); });

  named(*group, "logs", "what happened to an environment", asked)->callback([&run, asked] {
    print_environment_events(run, asked->name);
  });

  top.add_subcommand("templates", "what environments can be made from")->callback([&run] {
    run.print_list(run.authorised().list("/api/v1/templates"),
                   {{"NAME", "name"}, {"DESCRIPTION", "description"}}, "no templates");
  });
}

}  // namespace berth::devctl
