// What a node needs of the topics before it can use them: that they are there, have the right
// number of partitions, and lose nothing. Blocking, within request_timeout_ms.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "events/core/journal_error.hpp"
#include "infra/kafka/kafka_options.hpp"

namespace berth {

struct topic_facts {
  std::string cluster;  // id of the Kafka cluster
  int partitions{};
  int replication_factor{};
  int min_insync_replicas{};
  bool unclean_leader_election{};
  std::string cleanup_policy;
  long retention_ms{-1};
  long retention_bytes{-1};
  long message_bytes_max{1L << 30};
  long flush_messages{};  // fsync every so many messages; huge by default
};

// Makes the commits topic if it is missing and options.create_topics, then looks at it.
//   io         no broker answers, or refuses who asks (the broker's reason is named)
//   not_found  the topic is missing and is not to be made
//   conflict   it has another number of partitions
journal_result<topic_facts> prepare_topics(const kafka_options& options);
// Makes the compacted topic of latest states (state_topic.hpp) if it is missing.
std::optional<journal_error> prepare_state_topic(const kafka_options& options);

// What an operator should know about a topic that is there: each a sentence. Empty: nothing to say.
std::vector<std::string> doubts_about(const topic_facts& facts, const kafka_options& options);

}  // namespace berth
