#include "tools/berthd/kafka_settings.hpp"

#include <algorithm>
#include <array>

namespace berth::berthd {
namespace {

constexpr std::array protocols{"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
constexpr std::array mechanisms{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"};
constexpr std::uint32_t partitions_max = 4'096;

}  // namespace

std::string mistake_in(const kafka_settings& of) {
  const auto& options = of.options;
  if (options.bootstrap.empty())
    return "kafka.bootstrap is missing: HOST:PORT of one or more brokers, separated by commas";
  if (std::find(protocols.begin(), protocols.end(), options.security_protocol) == protocols.end())
    return "kafka.security_protocol \"" + options.security_protocol +
           "\" is not plaintext, ssl, sasl_plaintext or sasl_ssl";
  if (options.security_protocol.starts_with("sasl") &&
      (options.sasl_username.empty() || options.sasl_password.empty()))
    return "kafka.security_protocol = " + options.security_protocol +
           " needs sasl_username and sasl_password_file";
  if (std::find(mechanisms.begin(), mechanisms.end(), options.sasl_mechanism) == mechanisms.end())
    return "kafka.sasl_mechanism \"" + options.sasl_mechanism +
           "\" is not SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN";
  if (options.partitions > partitions_max)
    return "kafka.partitions must be at most " + std::to_string(partitions_max);
  if (options.min_insync_replicas > options.replication_factor)
    return "kafka.min_insync_replicas must be at most kafka.replication_factor";
  return {};
}

}  // namespace berth::berthd
