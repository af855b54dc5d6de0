// Which server, which token. In order of precedence: flags, BERTH_SERVER, BERTH_TOKEN and
// BERTH_CA_FILE, the file
// $XDG_CONFIG_HOME/berth/config.toml (default ~/.config; mode 0600, written by `devctl login`).
#pragma once

#include <filesystem>
#include <string>

namespace berth::devctl {

inline constexpr const char* default_server = "http://127.0.0.1:7780";

struct config {
  std::string server{default_server};  // without a trailing slash
  std::string token;                   // empty: not logged in
  std::string ca_file{};               // PEM; empty: the system's certificate authorities
};

std::filesystem::path config_path();
// Flags win over the environment, the environment over the file. An unreadable file is a failure
// naming the place.
config load_config(const std::string& server_flag);
// Creates folder and file, replacing atomically; the file is 0600 from its first byte.
void save_config(const config& saved);
// Trims, checks http(s)://, and drops a trailing slash; failure exit_usage otherwise.
std::string normal_server(std::string text);

}  // namespace berth::devctl
