// berthd: parse, start, wait for a signal, stop.
#include <csignal>
#include <cstdio>
#include <iostream>

#include <sys/resource.h>

#include <spdlog/spdlog.h>

#include "infra/telemetry/logging.hpp"
#include "tools/berthd/exit_code.hpp"
#include "tools/berthd/server.hpp"
#include "tools/berthd/settings.hpp"
#include "tools/berthd/storage.hpp"

namespace {

berth::log_format format_of(const std::string& name) {
  if (name == "human") return berth::log_format::human;
  return name == "json" ? berth::log_format::json : berth::log_format::automatic;
}

void print_next_steps(const berth::berthd::server& server) {
  std::cout << "berthd serves " << server.url() << "\n";
  if (server.first_start())
    std::cout << "First start: an administrator was made. In another shell type:\n"
              << "  build/bin/devctl login --server " << server.url() << " --token-file "
              << server.token_file() << "\n"
              << "  build/bin/devctl env create first --wait\n"
              << "  build/bin/devctl terminal open first\n";
  std::cout << std::flush;
}

// A shell's soft limit is often 1,024; as many connections as the gateway takes need more.
void raise_descriptor_limit(std::uint32_t connections_max) {
  constexpr rlim_t others = 2048;  // storage, environments, sockets of ports
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < connections_max + others)
    spdlog::warn(
        "this process may open {} files; with gateway.connections_max = {} it may want {}: raise "
        "the limit (LimitNOFILE=) or lower the setting",
        files.rlim_max, connections_max, connections_max + others);
}

void print_farewell(std::size_t running) {
  if (running == 0) {
    std::cout << "berthd stopped; no environment is running.\n";
    return;
  }
  std::cout << "berthd stopped; " << running
            << (running == 1 ? " environment keeps" : " environments keep")
            << " running. Start berthd again to go on; `devctl env stop NAME` stops one.\n";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace berth::berthd;
  const auto parsed = parse_settings(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  if (!berth::set_up_logging(parsed.value.log_level, format_of(parsed.value.log_format))) {
    std::cerr << "berthd: log level \"" << parsed.value.log_level
              << "\" is not trace, debug, info, warn, error or off\n";
    return exit_usage;
  }
  if (parsed.value.check_config) {
    std::cout << describe(parsed.value);
    std::vector<std::string> lines;
    const bool usable =
        !parsed.value.uses_kafka() || berth::berthd::check_brokers(parsed.value, lines);
    for (const auto& line : lines) std::cerr << line << "\n";
    return usable ? exit_ok : exit_error;
  }
  // Every thread inherits this mask; the main thread waits for the signals.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit(parsed.value.connections_max);

  server server{parsed.value};
  if (parsed.value.doctor) {
    std::cout << server.doctor();
    return exit_ok;
  }
  if (const auto failed = server.start()) {
    std::cerr << "berthd: " << failed->message << std::endl;
    return failed->exit_code;
  }
  print_next_steps(server);
  int signal = 0;
  sigwait(&ends, &signal);
  spdlog::info("stopping on signal {}", signal);
  print_farewell(server.stop());
  return exit_ok;
}
