// Everything that can be set about Kafka. No librdkafka types: the composition root includes this.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "infra/memory/journal_limits.hpp"

namespace berth {

struct kafka_options {
  std::string bootstrap;  // host:port,host:port
  std::string node;       // this node's name; tells leaders apart in the log
  std::string topic_prefix = "berth";
  std::uint32_t partitions = 64;  // of the commits topic; fixed once it exists
  // Of topics that are made; nothing is changed about those that exist.
  int replication_factor = 3;
  int min_insync_replicas = 2;
  bool create_topics = true;

  // security.protocol: plaintext, ssl, sasl_plaintext, sasl_ssl. Of SASL: SCRAM-SHA-512,
  // SCRAM-SHA-256, PLAIN. librdkafka before 2.6.1 (Debian 12 has 2.0.2) cannot do SCRAM with
  // brokers from 4.0 on.
  std::string security_protocol = "plaintext";
  std::string sasl_mechanism = "SCRAM-SHA-512";
  std::string sasl_username;
  std::string sasl_password;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;

  // How long a record may wait for its acknowledgement before its outcome is unknown and leadership
  // ends. Shorter than a broker's failover makes an outage out of it.
  std::chrono::milliseconds delivery_timeout_ms{30'000};
  // A node that is silent for so long leads nothing any more, as far as the others are concerned.
  std::chrono::milliseconds session_timeout_ms{6'000};
  bool shared = false;  // several nodes lead partitions of the topic; else a second one takes over
  std::chrono::milliseconds request_timeout_ms{10'000};  // of what is asked at a start
  journal_limits limits;                                 // a partition

  std::string commits_topic() const { return topic_prefix + ".commits"; }
  std::string leaders_group() const { return topic_prefix + "-leaders"; }
  std::string state_topic() const { return topic_prefix + ".state"; }
};

}  // namespace berth
