// exec ENV -- command…: runs it once, whatever happens to the connection, and exits with its code.
#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

#include "gateway/base64.hpp"
#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

constexpr std::size_t stdin_bytes_max = 1024 * 1024;       // the server's bound
constexpr std::chrono::milliseconds answer_grace{30'000};  // beyond the command's own timeout

struct options {
  std::string environment;
  std::vector<std::string> command;
  std::vector<std::string> variables;
  std::string directory;
  bool with_stdin{};
  int timeout_s{30};
};

std::string read_stdin() {
  std::string bytes;
  char block[64 * 1024];
  for (;;) {
    const auto count = ::read(STDIN_FILENO, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure(exit_error, "standard input cannot be read");
    if (count == 0) return bytes;
    bytes.append(block, std::size_t(count));
    if (bytes.size() > stdin_bytes_max)
      throw failure(exit_usage, fmt::format("standard input is over {} bytes", stdin_bytes_max),
                    "copy it first: devctl cp FILE ENV:/path");
  }
}

json::object body_of(const options& asked) {
  json::object body{{"command", json::value_from(asked.command)},
                    {"timeout_ms", asked.timeout_s * 1000}};
  if (!asked.directory.empty()) body["working_directory"] = asked.directory;
  json::object variables;
  for (const auto& each : asked.variables) {
    const auto equals = each.find('=');
    if (equals == std::string::npos || equals == 0)
      throw failure(exit_usage, fmt::format("--env {} is not NAME=VALUE", each));
    variables[each.substr(0, equals)] = each.substr(equals + 1);
  }
  if (!variables.empty()) body["env"] = variables;
  if (asked.with_stdin) body["stdin_base64"] = gateway::base64_encode(read_stdin());
  body["encoding"] = "base64";
  return body;
}

void exec(app& run, const options& asked) {
  const auto answer =
      run.authorised().call({.method = "POST",
                             .path = environment_path(asked.environment) + "/exec",
                             .body = body_of(asked),
                             .timeout = std::chrono::seconds(asked.timeout_s) + answer_grace});
  if (run.json()) {
    fmt::print("{}\n", json::serialize(answer));
  } else {
    const auto out = gateway::base64_decode(text_of(answer, "stdout_base64")).value_or("");
    const auto err = gateway::base64_decode(text_of(answer, "stderr_base64")).value_or("");
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
    std::fwrite(err.data(), 1, err.size(), stderr);
    if (text_of(answer, "truncated") == "true")
      run.note("devctl: the output was longer than the server keeps; use a terminal for all of it");
    if (text_of(answer, "timed_out") == "true")
      run.note(fmt::format("devctl: the command was ended after {} s; --timeout allows more",
                           asked.timeout_s));
  }
  run.exit = answer.at("exit_code").to_number<int>();
}

}  // namespace

void add_exec_command(CLI::App& top, app& run) {
  auto asked = std::make_shared<options>();
  auto* command = top.add_subcommand("exec", "run a command and exit with its code");
  command->add_option("environment", asked->environment, "name or id")->required();
  command->add_option("command", asked->command, "after --: program and arguments")->required();
  command->add_option("-e,--env", asked->variables, "NAME=VALUE, repeatable")
      ->allow_extra_args(false);
  command->add_option("--directory", asked->directory, "to run in (default /workspace)");
  command->add_flag("-i,--stdin", asked->with_stdin, "pass standard input on (up to 1 MiB)");
  command->add_option("--timeout", asked->timeout_s, "seconds")->check(CLI::Range(1, 3600));
  command->callback([&run, asked] { exec(run, *asked); });
}

}  // namespace berth::devctl
