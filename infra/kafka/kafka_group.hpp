// Who is there, by a Kafka consumer group of all nodes, and so which partitions this node should
// lead: a hint that follows when a node comes, goes or falls silent. The lock is in the log
// (reader_rule.hpp), so nothing is lost when the hint is late or wrong, and a partition that stays
// is led throughout a rebalance.
//
// Nothing is fetched by it and nothing committed to it (librdkafka before 2.10 loses its assignment
// when it commits in a rebalance). Threads: its own, on which the view is told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "events/core/journal_error.hpp"
#include "infra/kafka/kafka_options.hpp"

namespace berth {

struct group_view {
  std::vector<std::uint32_t> assigned;  // partitions, by the range assignor; ascending
  std::vector<std::string> members;     // their names, sorted; this node's among them
  bool operator==(const group_view&) const = default;
};

class kafka_group {
 public:
  virtual ~kafka_group() = default;  // leaves the group: the others take over at once
};

// `changed` is told the whole new view whenever it changed; an empty one when this node was silent
// for so long that the others took over. Joins, as `name`, when the brokers answer.
journal_result<std::unique_ptr<kafka_group>> join_group(
    const kafka_options& options, const std::string& name,
    std::function<void(const group_view& now)> changed);

}  // namespace berth
