// cluster status | cordon | uncordon | drain: the nodes that share one journal (administrators).
#include "tools/devctl/app.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

void add_node_command(CLI::App& group, app& run, const std::shared_ptr<std::uint32_t>& ordinal,
                      const std::string& verb, const std::string& help) {
  auto* command = group.add_subcommand(verb, help);
  command->add_option("node", *ordinal, "its ordinal, as `devctl cluster status` shows it")
      ->required();
  command->callback([&run, ordinal, verb] {
    const auto answer = run.authorised().post(
        "/api/v1/cluster/nodes/" + std::to_string(*ordinal) + "/" + verb, json::object{});
    run.print_object(answer, {{"NODE", "node.ordinal"},
                              {"ENVIRONMENTS", "node.environments"},
                              {"CORDONED", "node.cordoned"}});
    run.note(text_of(answer, "message"));
  });
}

}  // namespace

void add_cluster_commands(CLI::App& top, app& run) {
  auto* group = top.add_subcommand("cluster", "the nodes of the server (administrators)");
  group->require_subcommand(1);
  group->add_subcommand("status", "who is there and what runs where")->callback([&run] {
    const auto answer = run.authorised().get("/api/v1/cluster");
    run.print_list(answer.at("nodes").as_array(),
                   {{"NODE", "ordinal"},
                    {"ADDRESS", "address"},
                    {"HERE", "here"},
                    {"LINKED", "linked"},
                    {"LEADS", "leads"},
                    {"ENVIRONMENTS", "environments"},
                    {"CORDONED", "cordoned"},
                    {"HOST", "host"}},
                   "no nodes");
  });
  auto ordinal = std::make_shared<std::uint32_t>(0);
  add_node_command(*group, run, ordinal, "cordon", "place no new environment on a node");
  add_node_command(*group, run, ordinal, "uncordon", "place environments on it again");
  add_node_command(*group, run, ordinal, "drain", "cordon it and stop its environments");
}

}  // namespace berth::devctl
