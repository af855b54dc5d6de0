#include "tools/berthd/settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include "events/core/arguments.hpp"
#include "events/core/partition.hpp"
#include "tools/berthd/exit_code.hpp"
#include "tools/berthd/kafka_table.hpp"

namespace berth::berthd {

namespace {

// Where each key of the file goes. A key that is not here is a mistake worth naming.
struct file_reader {
  settings& into;
  std::vector<std::string> errors;

  template <class T>
  void take(const toml::table& table, const std::string& prefix, const char* key, T& to) {
    const auto* node = table.get(key);
    if (!node) return;
    if (const auto value = node->value<T>())
      to = *value;
    else
      errors.push_back(place(*node) + prefix + key + " has the wrong type");
  }

  const toml::table* table_of(const toml::table& file, const char* key) {
    const auto* node = file.get(key);
    if (node && !node->is_table()) errors.push_back(place(*node) + key + " must be a table");
    return node ? node->as_table() : nullptr;
  }

  std::string place(const toml::node& node) const {
    std::ostringstream text;
    text << into.config_file << ":" << node.source().begin.line << ": ";
    return text.str();
  }

  void unknown_keys(const toml::table& table, const std::string& prefix,
                    std::vector<std::string_view> known) {
    for (const auto& [key, node] : table)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        errors.push_back(place(node) + "unknown key " + prefix + std::string{key.str()});
  }
};

bool set_listen(settings& to, const std::string& text, const std::string& source) {
  const auto colon = text.rfind(':');
  char* end = nullptr;
  const auto port =
      colon == std::string::npos ? -1 : std::strtol(text.c_str() + colon + 1, &end, 10);
  const bool is_bracketed = text.starts_with('[');
  const auto refused = [&] {
    std::cerr << "berthd: " << source << ": \"" << text
              << "\" is not ADDRESS:PORT, for example 127.0.0.1:7780\n";
    return false;
  };
  if (port < 0 || port > 65535 || !end || *end != '\0' || end == text.c_str() + colon + 1 ||
      is_bracketed != (colon > 0 && text[colon - 1] == ']'))
    return refused();
  to.address = text.substr(0, colon);
  if (is_bracketed) to.address = to.address.substr(1, to.address.size() - 2);
  if (to.address.find_first_of("[]") != std::string::npos) return refused();
  to.port = static_cast<std::uint16_t>(port);
  return true;
}

void read_cluster(file_reader& reader, const toml::table& table, cluster_settings& to) {
  reader.unknown_keys(
      table, "cluster.",
      {"ordinal", "listen", "advertise", "certificate_file", "key_file", "ca_file", "secret_file"});
  if (const auto* given = table.get("ordinal")) {
    std::int64_t ordinal = 0;
    reader.take(table, "cluster.", "ordinal", ordinal);
    if (ordinal < 0 || ordinal >= ordinals_max)
      reader.errors.push_back(reader.place(*given) +
                              "cluster.ordinal = " + std::to_string(ordinal) +
                              " is not between 0 and " + std::to_string(ordinals_max - 1));
    else
      to.ordinal = static_cast<std::uint32_t>(ordinal);
  }
  reader.take(table, "cluster.", "listen", to.listen);
  reader.take(table, "cluster.", "advertise", to.advertise);
  reader.take(table, "cluster.", "certificate_file", to.certificate_file);
  reader.take(table, "cluster.", "key_file", to.key_file);
  reader.take(table, "cluster.", "ca_file", to.ca_file);
  reader.take(table, "cluster.", "secret_file", to.secret_file);
}

bool read_file(settings& to) {
  if (to.config_file.empty()) return true;
  toml::table file;
  try {
    file = toml::parse_file(to.config_file);
  } catch (const toml::parse_error& error) {
    std::cerr << "berthd: " << to.config_file << ":" << error.source().begin.line << ": "
              << error.description() << "\n";
    return false;
  }
  file_reader reader{to, {}};
  std::string listen;
  reader.unknown_keys(file, "",
                      {"data_dir", "engine", "listen", "tls", "log", "sandbox", "gateway", "kernel",
                       "kafka", "cluster"});
  reader.take(file, "", "data_dir", to.data_dir);
  reader.take(file, "", "engine", to.engine);
  reader.take(file, "", "listen", listen);
  if (const auto* tls = reader.table_of(file, "tls")) {
    reader.unknown_keys(*tls, "tls.", {"certificate", "key"});
    reader.take(*tls, "tls.", "certificate", to.tls_certificate);
    reader.take(*tls, "tls.", "key", to.tls_key);
  }
  if (const auto* log = reader.table_of(file, "log")) {
    reader.unknown_keys(*log, "log.", {"level", "format"});
    reader.take(*log, "log.", "level", to.log_level);
    reader.take(*log, "log.", "format", to.log_format);
  }
  if (const auto* sandbox = reader.table_of(file, "sandbox")) {
    reader.unknown_keys(*sandbox, "sandbox.", {"network", "cgroup_parent"});
    reader.take(*sandbox, "sandbox.", "network", to.sandbox_network);
    reader.take(*sandbox, "sandbox.", "cgroup_parent", to.cgroup_parent);
  }
  if (const auto* gateway = reader.table_of(file, "gateway")) {
    reader.unknown_keys(*gateway, "gateway.", {"connections_max"});
    reader.take(*gateway, "gateway.", "connections_max", to.connections_max);
  }
  if (const auto* kernel = reader.table_of(file, "kernel")) {
    reader.unknown_keys(
        *kernel, "kernel.",
        {"worker_threads", "io_threads", "dedupe_window_hours", "passivate_after_s"});
    reader.take(*kernel, "kernel.", "worker_threads", to.worker_threads);
    reader.take(*kernel, "kernel.", "io_threads", to.io_threads);
    reader.take(*kernel, "kernel.", "dedupe_window_hours", to.dedupe_window_hours);
    reader.take(*kernel, "kernel.", "passivate_after_s", to.passivate_after_s);
  }
  if (const auto* kafka = reader.table_of(file, "kafka"))
    read_kafka(*kafka, to.config_file, to.kafka, reader.errors);
  if (const auto* cluster = reader.table_of(file, "cluster"))
    read_cluster(reader, *cluster, to.cluster.emplace());
  for (const auto& each : reader.errors) std::cerr << "berthd: " << each << "\n";
  return reader.errors.empty() &&
         (listen.empty() || set_listen(to, listen, to.config_file + ": listen"));
}

bool is_plain_text(const std::string& text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool usable(const settings& of) {
  const auto wrong = [](const std::string& what) {
    std::cerr << "berthd: " << what << "\n";
    return false;
  };
  if (of.data_dir.empty()) return wrong("no data directory; give --data-dir DIR");
  for (const auto& [name, text] :
       {std::pair{"data_dir", &of.data_dir}, std::pair{"listen", &of.address},
        std::pair{"tls.certificate", &of.tls_certificate}, std::pair{"tls.key", &of.tls_key},
        std::pair{"log.level", &of.log_level},
        std::pair{"sandbox.cgroup_parent", &of.cgroup_parent},
        std::pair{"kafka.bootstrap", &of.kafka.options.bootstrap},
        std::pair{"kafka.node", &of.kafka.options.node},
        std::pair{"kafka.topic_prefix", &of.kafka.options.topic_prefix},
        std::pair{"kafka.sasl_username", &of.kafka.options.sasl_username},
        std::pair{"kafka.sasl_password_file", &of.kafka.sasl_password_file},
        std::pair{"kafka.ca_file", &of.kafka.options.ca_file},
        std::pair{"kafka.certificate_file", &of.kafka.options.certificate_file},
        std::pair{"kafka.key_file", &of.kafka.options.key_file}})
    if (!is_plain_text(*text))
      return wrong(std::string{name} + " has control characters or is not UTF-8");
  const auto cluster = of.cluster.value_or(cluster_settings{});
  for (const auto* text : {&cluster.listen, &cluster.advertise, &cluster.certificate_file,
                           &cluster.key_file, &cluster.ca_file, &cluster.secret_file})
    if (!is_plain_text(*text))
      return wrong("a text of [cluster] has control characters or is not UTF-8");
  if (of.tls_certificate.empty() != of.tls_key.empty())
    return wrong("TLS needs both a certificate and a key (--tls-cert, --tls-key)");
  if (of.log_format != "auto" && of.log_format != "human" && of.log_format != "json")
    return wrong("log format \"" + of.log_format + "\" is not auto, human or json");
  if (of.worker_threads == 0 || of.io_threads == 0)
    return wrong("worker_threads and io_threads must be at least 1");
  if (of.connections_max == 0) return wrong("gateway.connections_max must be at least 1");
  if (of.engine != "embedded" && of.engine != "kafka")
    return wrong("engine \"" + of.engine + "\" is not embedded or kafka");
  if (of.engine == "kafka" && of.kafka.mirror)
    return wrong("kafka.mirror copies the embedded journal; with engine = kafka there is none");
  if (of.uses_kafka())
    if (const auto mistake = mistake_in(of.kafka); !mistake.empty()) return wrong(mistake);
  if (of.cluster && of.engine != "kafka")
    return wrong("[cluster] needs engine = kafka: the nodes share its topic");
  if (of.cluster)
    if (const auto mistake = mistake_in(*of.cluster, of.kafka.options.partitions); !mistake.empty())
      return wrong(mistake);
  if (of.dedupe_window_hours == 0) return wrong("dedupe_window_hours must be at least 1");
  return true;
}

}  // namespace

parsed_settings parse_settings(int argc, char** argv) {
  settings flags;
  std::string listen;
  CLI::App app{"berthd: development environments that lose nothing"};
  app.set_version_flag("--version", "berthd " BERTH_VERSION);
  const auto option = [&app](const char* names, auto& to, const char* help, const char* variable) {
    return app.add_option(names, to, help)->envname(variable);
  };
  auto* config = option("--config", flags.config_file, "TOML configuration file", "BERTH_CONFIG");
  config->check(CLI::ExistingFile);
  auto* data_dir =
      option("--data-dir", flags.data_dir, "where everything is kept", "BERTH_DATA_DIR");
  auto* engine =
      option("--engine", flags.engine, "where the journal is: embedded or kafka", "BERTH_ENGINE");
  auto* bootstrap =
      option("--kafka-bootstrap", flags.kafka.options.bootstrap,
             "HOST:PORT of Kafka brokers, separated by commas", "BERTH_KAFKA_BOOTSTRAP");
  auto* where =
      option("--listen", listen, "ADDRESS:PORT; only loopback without TLS", "BERTH_LISTEN");
  auto* certificate =
      option("--tls-cert", flags.tls_certificate, "PEM certificate chain", "BERTH_TLS_CERT");
  auto* key = option("--tls-key", flags.tls_key, "PEM private key", "BERTH_TLS_KEY");
  auto* level = option("--log-level", flags.log_level, "trace, debug, info, warn, error, off",
                       "BERTH_LOG_LEVEL");
  auto* format =
      option("--log-format", flags.log_format, "auto, human or json", "BERTH_LOG_FORMAT");
  auto* network = option("--sandbox-network", flags.sandbox_network,
                         "give environments an outbound network", "BERTH_SANDBOX_NETWORK");
  app.add_flag("--check-config", flags.check_config, "print the configuration in force and end");
  app.add_flag("--doctor", flags.doctor, "print what this machine can do for environments and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {{}, app.exit(error) == 0 ? exit_ok : exit_usage};
  }
  // The file first, then what was said by flag or variable on top.
  settings in_force;
  in_force.config_file = flags.config_file;
  if (!read_file(in_force)) return {{}, exit_usage};
  if (data_dir->count()) in_force.data_dir = flags.data_dir;
  if (engine->count()) in_force.engine = flags.engine;
  if (bootstrap->count()) in_force.kafka.options.bootstrap = flags.kafka.options.bootstrap;
  if (certificate->count()) in_force.tls_certificate = flags.tls_certificate;
  if (key->count()) in_force.tls_key = flags.tls_key;
  if (level->count()) in_force.log_level = flags.log_level;
  if (format->count()) in_force.log_format = flags.log_format;
  if (network->count()) in_force.sandbox_network = flags.sandbox_network;
  if (where->count() && !set_listen(in_force, listen, "--listen or BERTH_LISTEN"))
    return {{}, exit_usage};
  in_force.check_config = flags.check_config;
  in_force.doctor = flags.doctor;
  if (!usable(in_force)) return {{}, exit_usage};
  return {std::move(in_force), -1};
}

std::string describe(const settings& of) {
  const bool is_ipv6 = of.address.find(':') != std::string::npos;
  toml::table text{
      {"data_dir", of.data_dir},
      {"engine", of.engine},
      {"listen", (is_ipv6 ? "[" + of.address + "]" : of.address) + ":" + std::to_string(of.port)},
      {"tls", toml::table{{"certificate", of.tls_certificate}, {"key", of.tls_key}}},
      {"log", toml::table{{"level", of.log_level}, {"format", of.log_format}}},
      {"sandbox",
       toml::table{{"network", of.sandbox_network}, {"cgroup_parent", of.cgroup_parent}}},
      {"gateway", toml::table{{"connections_max", of.connections_max}}},
      {"kernel", toml::table{{"worker_threads", of.worker_threads},
                             {"io_threads", of.io_threads},
                             {"dedupe_window_hours", of.dedupe_window_hours},
                             {"passivate_after_s", of.passivate_after_s}}}};
  if (of.uses_kafka()) text.insert("kafka", describe_kafka(of.kafka));
  if (of.cluster)
    text.insert("cluster", toml::table{{"ordinal", *of.cluster->ordinal},
                                       {"listen", of.cluster->listen},
                                       {"advertise", of.cluster->advertise},
                                       {"certificate_file", of.cluster->certificate_file},
                                       {"key_file", of.cluster->key_file},
                                       {"ca_file", of.cluster->ca_file},
                                       {"secret_file", of.cluster->secret_file}});
  std::ostringstream out;
  out << text << "\n";
  return out.str();
}

}  // namespace berth::berthd
