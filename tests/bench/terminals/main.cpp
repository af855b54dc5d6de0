// What a client of a running berthd sees over the WebSocket; a row for each figure, as JSON lines.
//   terminals_bench --server 127.0.0.1:7780 --data-dir DIR --pid BERTHD [--only NAME…] [--quick]
#include <fstream>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tests/bench/terminals/scenarios.hpp"

namespace {

using namespace berth::bench;

// In the order they run; `sigkill` only when asked for.
const std::vector<std::pair<std::string, scenario>> scenarios{
    {"echo", echo},
    {"beside_flood", echo_beside_flood},
    {"interrupt", interrupt},
    {"bulk", bulk},
    {"zstd", bulk_zstd},
    {"seek", seek},
    {"viewers", many_viewers},
    {"stalled", stalled_reader},
    {"dropped", dropped_socket},
    {"away", output_while_away},
    {"fleet", fleet},
    {"idle_terminals", idle_terminals},
    {"commands", commands},
    {"idle_sockets", idle_sockets},
    {"sigkill", through_sigkill},
};

void print(std::string_view name, const boost::json::object& figures) {
  boost::json::object row{{"bench", "terminals"}, {"name", name}};
  row.insert(figures.begin(), figures.end());
  std::cout << boost::json::serialize(row) << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Terminals of a running berthd, as a client sees them"};
  std::string server = "127.0.0.1:7780";
  std::vector<std::string> only;
  settings with;
  int pid = 0;
  app.add_option("--server", server);
  app.add_option("--data-dir", with.data_dir, "of the server: its token, what it stored")
      ->required();
  app.add_option("--pid", pid, "of berthd, to see what it costs")->required();
  app.add_option("--only", only, "these scenarios");
  app.add_flag("--quick", with.quick);
  CLI11_PARSE(app, argc, argv);
  with.process = server_process{pid};
  with.server.host = server.substr(0, server.rfind(':'));
  with.server.port = static_cast<std::uint16_t>(std::stoi(server.substr(server.rfind(':') + 1)));
  std::getline(std::ifstream{with.data_dir + "/admin-token"} >> std::ws, with.server.token);
  for (const auto& name : only)
    if (std::none_of(scenarios.begin(), scenarios.end(),
                     [&](const auto& each) { return each.first == name; }))
      fail("no scenario named " + name);
  for (const auto& [name, run] : scenarios) {
    const bool is_wanted =
        only.empty() ? name != "sigkill" : std::find(only.begin(), only.end(), name) != only.end();
    if (is_wanted) run(with, print);
  }
  return 0;
}
