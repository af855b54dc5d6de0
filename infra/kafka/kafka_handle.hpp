// librdkafka's handles as values that end themselves, and how Berth sets them up: what is said here
// differs from the library's defaults for a measured reason (docs/operations.md, Kafka). Any
// thread.
#pragma once

#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>

#include "events/core/journal_error.hpp"
#include "infra/kafka/kafka_options.hpp"

namespace berth::kafka {

struct handle_end {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
struct queue_end {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct event_end {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct message_end {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
struct list_end {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
struct topic_end {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
struct error_end {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using error = std::unique_ptr<rd_kafka_error_t, error_end>;
using topic = std::unique_ptr<rd_kafka_topic_t, topic_end>;
using handle = std::unique_ptr<rd_kafka_t, handle_end>;
using queue = std::unique_ptr<rd_kafka_queue_t, queue_end>;
using event = std::unique_ptr<rd_kafka_event_t, event_end>;
using message = std::unique_ptr<rd_kafka_message_t, message_end>;
using partition_list = std::unique_ptr<rd_kafka_topic_partition_list_t, list_end>;

// Idempotent, acks=all, delivery reports as events of its main queue.
journal_result<handle> make_producer(const kafka_options& options);
// Commits nothing, resets nothing by itself, verifies checksums.
journal_result<handle> make_consumer(const kafka_options& options);

// One of the nodes that share the partitions, known to the others by `name`; `on_rebalance` gets
// `with`.
using rebalance_callback = void (*)(rd_kafka_t*, rd_kafka_resp_err_t,
                                    rd_kafka_topic_partition_list_t*, void*);
journal_result<handle> make_group_member(const kafka_options& options, const std::string& name,
                                         rebalance_callback on_rebalance, void* with);

journal_error error_of(rd_kafka_resp_err_t error, const std::string& what);

}  // namespace berth::kafka
