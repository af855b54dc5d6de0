// completion bash | zsh | fish: a script made from the command line's own tree, so it can't be out
// of date.
#include <fmt/format.h>

#include "tools/devctl/app.hpp"

namespace berth::devctl {
namespace {

struct node {
  std::string path;   // "env create"
  std::string words;  // subcommands and options
  bool takes_environment{};
};

void collect(const CLI::App& at, const std::string& path, std::vector<node>& into) {
  node here{path, {}, false};
  for (const auto* child : at.get_subcommands([](const CLI::App*) { return true; })) {
    here.words += child->get_name() + " ";
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), into);
  }
  for (const auto* option : at.get_options()) {
    for (const auto& name : option->get_lnames()) here.words += "--" + name + " ";
    if (option->get_positional() && option->get_name(true) == "environment")
      here.takes_environment = true;
  }
  into.push_back(here);
}

constexpr const char* names_function =
    "_devctl_environments() { devctl env list 2>/dev/null | awk 'NR > 1 { print $1 }'; }\n";

void print_bash(const std::vector<node>& nodes) {
  fmt::print("{}", names_function);
  fmt::print(
      "_devctl() {{\n"
      "  local word path=\"\" words=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${{COMP_WORDS[i]}}\n"
      "    case \"$path $word\" in\n      ");
  bool first = true;
  for (const auto& each : nodes) {
    if (each.path.empty()) continue;
    fmt::print("{}\" {}\"|\"{}\"", first ? "" : "|", each.path, each.path);
    first = false;
  }
  fmt::print(
      ")\n        path=\"${{path:+$path }}$word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n");
  for (const auto& each : nodes)
    fmt::print("    \"{}\") words=\"{}{}\" ;;\n", each.path, each.words,
               each.takes_environment ? "$(_devctl_environments)" : "");
  fmt::print(
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
      "}}\n"
      "complete -o default -F _devctl devctl\n");
}

void print_fish(const CLI::App& top) {
  fmt::print(
      "function __devctl_environments; devctl env list 2>/dev/null | awk 'NR > 1 {{ print $1 }}'; "
      "end\n");
  for (const auto* group : top.get_subcommands([](const CLI::App*) { return true; })) {
    fmt::print("complete -c devctl -f -n __fish_use_subcommand -a {} -d \"{}\"\n",
               group->get_name(), group->get_description());
    for (const auto* verb : group->get_subcommands([](const CLI::App*) { return true; }))
      fmt::print("complete -c devctl -f -n \"__fish_seen_subcommand_from {}\" -a {} -d \"{}\"\n",
                 group->get_name(), verb->get_name(), verb->get_description());
  }
  fmt::print(
      "complete -c devctl -f -n \"__fish_seen_subcommand_from show start stop delete exec open\" "
      "-a \"(__devctl_environments)\"\n");
}

}  // namespace

void add_completion_command(CLI::App& top, app&) {
  auto shell = std::make_shared<std::string>();
  auto* command =
      top.add_subcommand("completion", "shell completion: eval \"$(devctl completion bash)\"");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&top, shell] {
    if (*shell == "fish") {
      print_fish(top);
      return;
    }
    std::vector<node> nodes;
    collect(top, "", nodes);
    if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    print_bash(nodes);
  });
}

}  // namespace berth::devctl
