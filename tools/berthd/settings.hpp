// berthd's configuration. A flag beats an environment variable (BERTH_…), that beats the file
// (TOML), that the default. docs/operations.md is the reference; --check-config prints what is in
// force.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/options.hpp"
#include "tools/berthd/cluster_settings.hpp"
#include "tools/berthd/kafka_settings.hpp"

namespace berth::berthd {

struct settings {
  std::string config_file;
  std::string data_dir;
  std::string engine{"embedded"};           // where the journal is: embedded | kafka
  kafka_settings kafka;                     // used by engine = kafka, or by a mirror
  std::optional<cluster_settings> cluster;  // one of several nodes on a Kafka journal
  std::string address{"127.0.0.1"};
  std::uint16_t port{7780};
  std::string tls_certificate;
  std::string tls_key;
  std::string log_level{"info"};
  std::string log_format{"auto"};  // auto | human | json
  bool sandbox_network{true};      // veth and nftables for environments, where the machine allows
  std::string cgroup_parent;       // empty: berth-<hash of the data directory>
  std::uint32_t worker_threads{2};
  std::uint32_t io_threads{2};
  std::uint32_t connections_max{gateway::gateway_limits{}.connections_max};
  std::uint32_t dedupe_window_hours{24};
  std::uint32_t passivate_after_s{60};
  bool uses_kafka() const { return engine == "kafka" || kafka.mirror; }
  bool check_config{};
  bool doctor{};
};

// Parses arguments, environment and file. Wrong input is told on stderr, naming where it came from;
// the value is then an exit code instead.
struct parsed_settings {
  settings value;
  int exit_code{-1};  // >= 0: end now with it
};
parsed_settings parse_settings(int argc, char** argv);

// The settings in force, as TOML.
std::string describe(const settings& of);

}  // namespace berth::berthd
