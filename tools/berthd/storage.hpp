// Where this server's journal and views are, by its settings: the embedded engine, alone or
// mirrored into Kafka, or Kafka itself with a replica in the data directory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "infra/kafka/kafka_engine.hpp"
#include "infra/kafka/kafka_mirror.hpp"
#include "infra/kafka/state_topic.hpp"
#include "infra/rocksdb/embedded_engine.hpp"
#include "infra/telemetry/metrics.hpp"
#include "tools/berthd/data_directory.hpp"
#include "tools/berthd/settings.hpp"

namespace berth::berthd {

class storage {
 public:
  struct asked {
    const settings& of;
    const data_directory& directory;
    const clock& time;
    std::function<void(const journal_error&)> on_fatal;
    // Of a partition, begun or ended; on a thread of the storage.
    std::function<void(std::uint32_t partition, bool began)> on_leadership;
    std::function<bool()> is_stopped;  // while a start reads all of a topic
  };
  // Opened and, of Kafka, leading every partition; in a cluster, having read every partition to its
  // end, and leading none. Or what went wrong.
  static journal_result<std::unique_ptr<storage>> open(const asked& what);

  berth::journal& journal() const { return kafka_ ? kafka_->journal() : embedded_->journal(); }
  view_store& views() const { return kafka_ ? kafka_->views() : embedded_->views(); }
  std::uint64_t epoch() const { return epoch_; }  // of this start: data_directory
  kafka_engine* kafka() const { return kafka_.get(); }
  embedded_engine* embedded() const { return embedded_.get(); }  // nothing if the log is Kafka
  void add_metrics(metrics_page& to) const;

 private:
  std::uint64_t epoch_{};
  std::unique_ptr<embedded_engine> embedded_;
  std::unique_ptr<kafka_mirror> mirror_;
  std::unique_ptr<kafka_engine> kafka_;
  std::unique_ptr<state_topic> states_;
};

// Asks the brokers of the settings: whether they answer, and what the topics are like. A line each;
// false: it would not start.
bool check_brokers(const settings& of, std::vector<std::string>& lines);

}  // namespace berth::berthd
