#include "infra/agent/program/options.hpp"

#include <charconv>
#include <functional>
#include <map>

namespace berth::agent {
namespace {

template <class Number>
bool parse_number(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// NAME:UID:GID:HOME:SHELL
bool parse_user(const std::string& text, std::optional<user_record>& user) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const auto end = text.find(':', at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string::npos) break;
    at = end + 1;
  }
  user_record record;
  if (parts.size() != 5 || !parse_number(parts[1], record.uid) ||
      !parse_number(parts[2], record.gid))
    return false;
  record.name = parts[0];
  record.home = parts[3];
  record.shell = parts[4];
  user = std::move(record);
  return true;
}

bool parse_variable(const std::string& text,
                    std::vector<std::pair<std::string, std::string>>& env) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  env.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return true;
}

using setter = std::function<bool(options&, const std::string&)>;

std::map<std::string, setter> valued_options() {
  const auto text = [](std::string options::*member) -> setter {
    return [=](options& o, const std::string& v) { return o.*member = v, true; };
  };
  const auto fd = [](int options::*member) -> setter {
    return [=](options& o, const std::string& v) {
      return parse_number(v, o.*member) && o.*member >= 0;
    };
  };
  const auto time = [](std::chrono::milliseconds options::*member) -> setter {
    return [=](options& o, const std::string& v) {
      std::uint32_t ms{};
      if (!parse_number(v, ms)) return false;
      o.*member = std::chrono::milliseconds{ms};
      return true;
    };
  };
  return {
      {"--environment", text(&options::environment)},
      {"--incarnation", text(&options::incarnation)},
      {"--listen-fd", fd(&options::listen_fd)},
      {"--listen", text(&options::listen_path)},
      {"--state-fd", fd(&options::state_fd)},
      {"--state", text(&options::state_path)},
      {"--stat-cpu-fd", fd(&options::stat_cpu_fd)},
      {"--stat-memory-fd", fd(&options::stat_memory_fd)},
      {"--stat-pids-fd", fd(&options::stat_pids_fd)},
      {"--ready-fd", fd(&options::ready_fd)},
      {"--gateway-socket", text(&options::gateway_socket)},
      {"--gateway-port",
       [](options& o, const std::string& v) { return parse_number(v, o.gateway_port); }},
      {"--user", [](options& o, const std::string& v) { return parse_user(v, o.default_user); }},
      {"--env", [](options& o, const std::string& v) { return parse_variable(v, o.env); }},
      {"--cgroup-fd",
       [](options& o, const std::string& v) {
         return parse_number(v, o.cgroup_fds.emplace_back());
       }},
      {"--stats-ms", time(&options::stats_every)},
      {"--hello-ms", time(&options::hello_within)},
  };
}

}  // namespace

std::optional<options> parse_options(int argc, char** argv, std::string& problem) {
  options parsed;
  const auto valued = valued_options();
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--serve") continue;
    if (name == "--workload-ns") {
      parsed.workload_ns = true;
    } else if (name == "--drop-caps") {
      parsed.drop_caps = true;
    } else if (const auto found = valued.find(name); found == valued.end()) {
      problem = "unknown option " + name;
      return std::nullopt;
    } else if (++i == argc || !found->second(parsed, argv[i])) {
      problem = "bad or missing value of " + name;
      return std::nullopt;
    }
  }
  if (parsed.environment.empty() || parsed.incarnation.empty())
    problem = "--environment and --incarnation are required";
  if (parsed.listen_fd < 0 && parsed.listen_path.empty())
    problem = "--listen-fd or --listen is required";
  if (parsed.state_fd < 0 && parsed.state_path.empty())
    problem = "--state-fd or --state is required";
  if (!problem.empty()) return std::nullopt;
  return parsed;
}

}  // namespace berth::agent
