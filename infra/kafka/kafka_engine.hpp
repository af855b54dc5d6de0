// The Kafka engine as the composition root sees it: the log is a topic, a replica in the data
// directory is what this node has read of it, and this node leads the partitions it is told to.
// docs/architecture.md has the flow, infra/kafka/README.md the parts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "events/core/journal.hpp"
#include "infra/kafka/kafka_log.hpp"
#include "infra/kafka/kafka_options.hpp"
#include "infra/rocksdb/embedded_options.hpp"
#include "infra/rocksdb/embedded_stats.hpp"
#include "infra/rocksdb/note_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

class kafka_engine {
 public:
  virtual ~kafka_engine() = default;  // answers what is unanswered first
  virtual berth::journal& journal() = 0;
  virtual view_store& views() = 0;
  virtual note_store& notes() = 0;
  virtual kafka_log& log() = 0;
  virtual memory_use memory() const = 0;
};

// Connects, and reads what the topic has behind what the replica knows, in the background. Leads no
// partition until log().want() says so. Errors: those of prepare_topics, open_replica,
// kafka_log::start.
journal_result<std::unique_ptr<kafka_engine>> open_kafka(const kafka_options& options,
                                                         const embedded_options& storage,
                                                         leadership_news news = {});

}  // namespace berth
