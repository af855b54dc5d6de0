// devctl: what a user types. Parses, runs one command, and turns every failure into one message and
// an exit code.
#include <csignal>
#include <cstdio>

#include <curl/curl.h>
#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/printable.hpp"

int main(int argc, char** argv) {
  using namespace berth::devctl;
  std::signal(SIGPIPE, SIG_IGN);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  app run;
  CLI::App top{"devctl: cloud development environments that lose nothing", "devctl"};
  top.require_subcommand(1);
  top.fallthrough();
  top.add_option("-s,--server", run.server_flag,
                 "server address (default: BERTH_SERVER, config file)");
  top.add_option("-o,--output", run.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  top.set_version_flag("--version", "devctl 0.1.0");
  add_login_commands(top, run);
  add_environment_commands(top, run);
  add_terminal_commands(top, run);
  add_exec_command(top, run);
  add_copy_command(top, run);
  add_forward_command(top, run);
  add_account_commands(top, run);
  add_usage_command(top, run);
  add_event_commands(top, run);
  add_session_commands(top, run);
  add_doctor_command(top, run);
  add_cluster_commands(top, run);
  add_completion_command(top, run);
  try {
    top.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return top.exit(error) == 0 ? exit_ok : exit_usage;
  } catch (const failure& error) {
    fmt::print(stderr, "devctl: {}\n", berth::printable(error.what()));
    if (!error.next_step().empty())
      fmt::print(stderr, "  {}\n", berth::printable(error.next_step()));
    return error.code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "devctl: {} sent what devctl doesn't understand: {}\n",
               run.server_flag.empty() ? "the server" : run.server_flag,
               berth::printable(error.what()));
    return exit_error;
  }
  return std::fflush(stdout) == 0 ? run.exit : exit_error;
}
