// Which partitions this node should lead, by a Kafka consumer group of all nodes: a hint that
// spreads them and moves them when a node comes, goes or falls silent. The lock is in the log
// (reader_rule.hpp), so nothing is lost when the hint is late or wrong, and a partition that stays
// is led throughout a rebalance.
//
// Nothing is fetched by it and nothing committed to it (librdkafka before 2.10 loses its assignment
// when it commits in a rebalance). Threads: its own, on which `wanted` is called.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "events/core/journal_error.hpp"
#include "infra/kafka/kafka_options.hpp"

namespace berth {

class kafka_group {
 public:
  virtual ~kafka_group() = default;  // leaves the group: the others take over at once
};

// `wanted` is told the whole new set whenever it changed; empty when this node was silent for so
// long that others took over. Joins when the brokers answer.
journal_result<std::unique_ptr<kafka_group>> join_group(
    const kafka_options& options,
    std::function<void(const std::vector<std::uint32_t>& partitions)> wanted);

}  // namespace berth
