#include "tools/devctl/paths.hpp"

#include <charconv>

#include <fmt/format.h>

#include "tools/devctl/failure.hpp"

namespace berth::devctl {

std::string environment_path(const std::string& name_or_id) {
  return "/api/v1/environments/" + encoded(name_or_id);
}

std::string terminal_path(const std::string& id) {
  return "/api/v1/terminals/" + encoded(id);
}

client::client_options socket_options(const config& used) {
  client::client_options options;
  options.tls = used.server.starts_with("https://");
  auto rest = used.server.substr(used.server.find("://") + 3);
  rest = rest.substr(0, rest.find('/'));
  const auto bracket = rest.find(']');  // [::1]:7780
  const auto colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  options.port = options.tls ? 443 : 80;
  options.host = rest.substr(0, colon);
  if (colon != std::string::npos) {
    const auto text = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.port);
    if (error != std::errc() || end != text.data() + text.size())
      throw failure(exit_usage, fmt::format("\"{}\" is not a port in {}", text, used.server),
                    "give a server address like http://127.0.0.1:7780");
  }
  if (options.host.starts_with('[')) options.host = options.host.substr(1, options.host.size() - 2);
  options.token = used.token;
  options.ca_file = used.ca_file;
  return options;
}

failure failure_of(const client::client_error& error) {
  static const std::map<std::string, int> codes{{"not_found", exit_not_found},
                                                {"unauthenticated", exit_auth},
                                                {"forbidden", exit_auth},
                                                {"wrong_state", exit_conflict},
                                                {"connect_failed", exit_unavailable},
                                                {"tls_failed", exit_unavailable},
                                                {"timeout", exit_unavailable},
                                                {"overloaded", exit_unavailable},
                                                {"unavailable", exit_unavailable},
                                                {"limit_exceeded", exit_unavailable}};
  const auto found = codes.find(error.code);
  auto message = error.message.empty() ? error.code : error.message + " (" + error.code + ")";
  for (const auto& [name, value] : error.details) message += ", " + name + " " + value;
  const int code = found == codes.end() ? int(exit_error) : found->second;
  return {code, message, code == exit_auth ? "run `devctl login`" : ""};
}

}  // namespace berth::devctl
