#include "tools/devctl/config.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <system_error>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "tools/devctl/failure.hpp"

namespace berth::devctl {
namespace {

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string trimmed(std::string text) {
  const auto space = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(space), text.size()));
  text.erase(text.find_last_not_of(space) + 1);
  return text;
}

}  // namespace

std::filesystem::path config_path() {
  if (const auto base = environment_value("XDG_CONFIG_HOME"); !base.empty())
    return std::filesystem::path(base) / "berth" / "config.toml";
  const auto home = environment_value("HOME");
  return std::filesystem::path(home.empty() ? "." : home) / ".config" / "berth" / "config.toml";
}

std::string normal_server(std::string text) {
  text = trimmed(std::move(text));
  while (text.ends_with('/')) text.pop_back();
  if (!text.starts_with("http://") && !text.starts_with("https://"))
    throw failure(exit_usage, fmt::format("\"{}\" is not a server address", text),
                  "give one like http://127.0.0.1:7780 or https://berth.example.com");
  return text;
}

config load_config(const std::string& server_flag) {
  config loaded;
  const auto path = config_path();
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    try {
      const auto file = toml::parse_file(path.string());
      loaded.server = file["server"].value_or(loaded.server);
      loaded.token = file["token"].value_or(loaded.token);
      loaded.ca_file = file["ca_file"].value_or(loaded.ca_file);
    } catch (const toml::parse_error& error) {
      throw failure(
          exit_error,
          fmt::format("{}:{}: {}", path.string(), error.source().begin.line, error.description()),
          "correct the file or run `devctl login` again");
    }
  }
  if (const auto server = environment_value("BERTH_SERVER"); !server.empty())
    loaded.server = server;
  if (const auto token = environment_value("BERTH_TOKEN"); !token.empty()) loaded.token = token;
  if (const auto ca = environment_value("BERTH_CA_FILE"); !ca.empty()) loaded.ca_file = ca;
  if (!server_flag.empty()) loaded.server = server_flag;
  loaded.server = normal_server(loaded.server);
  loaded.token = trimmed(loaded.token);
  return loaded;
}

void save_config(const config& saved) {
  const auto path = config_path();
  const auto fail = [&](const char* what) {
    throw failure(exit_error,
                  fmt::format("{} {}: {}", what, path.string(),
                              std::error_code(errno, std::generic_category()).message()));
  };
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const auto fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) fail("cannot write");
  std::ostringstream text;
  toml::table table{{"server", saved.server}, {"token", saved.token}};
  if (!saved.ca_file.empty()) table.insert("ca_file", saved.ca_file);
  text << table << "\n";
  const auto bytes = text.str();
  const bool written = ::write(file, bytes.data(), bytes.size()) == ssize_t(bytes.size());
  if (::close(file) != 0 || !written || ::rename(fresh.c_str(), path.c_str()) != 0)
    fail("cannot write");
}

}  // namespace berth::devctl
