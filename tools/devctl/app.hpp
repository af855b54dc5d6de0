// What every command of devctl is given: the server, the token, how to print.
//
// Each commands/<noun>.cpp adds its commands to the command line; a command's callback runs after
// parsing and ends normally, by a `failure`, or by setting `exit` to the code of the program it
// ran.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "tools/devctl/config.hpp"
#include "tools/devctl/rest_client.hpp"

namespace berth::devctl {

// A column of a table: its title and where in an item its text is ("environment.name").
struct column {
  std::string title;
  std::string path;
};

class app {
 public:
  std::string server_flag;
  std::string format{"table"};  // or "json"
  int exit{0};

  bool json() const { return format == "json"; }
  // Loads the configuration when first asked, so that `completion` and --help need none.
  const config& configured();
  rest_client& rest();
  // Not logged in is a failure before anything is sent.
  rest_client& authorised();

  // Items as a JSON array or as a table; `empty` is said instead of a table without rows.
  void print_list(const boost::json::array& items, const std::vector<column>& columns,
                  const std::string& empty) const;
  // One object as JSON or as `title: value` lines; lines without a value are left out.
  void print_object(const boost::json::value& object, const std::vector<column>& columns) const;
  // For people only: on stderr, nothing with -o json.
  void note(const std::string& line) const;

 private:
  std::unique_ptr<config> config_;
  std::unique_ptr<rest_client> rest_;
};

void add_login_commands(CLI::App& top, app& run);
void add_environment_commands(CLI::App& top, app& run);
void add_terminal_commands(CLI::App& top, app& run);
void add_exec_command(CLI::App& top, app& run);
void add_copy_command(CLI::App& top, app& run);
void add_forward_command(CLI::App& top, app& run);
void add_account_commands(CLI::App& top, app& run);
void add_usage_command(CLI::App& top, app& run);
void add_event_commands(CLI::App& top, app& run);
void add_session_commands(CLI::App& top, app& run);
void add_doctor_command(CLI::App& top, app& run);
void add_cluster_commands(CLI::App& top, app& run);
void add_completion_command(CLI::App& top, app& run);

}  // namespace berth::devctl
