// One node's producer and consumer of a commits topic, in Berth's terms. The producer is made anew
// after an error that ends it. Any thread, but one polls reports and one polls records.
//
// Headers of a message: `berth-kind` commit | lead, and `berth-source` of a copied commit. The key
// is the stream's name; a Lead has none.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "infra/kafka/kafka_handle.hpp"
#include "infra/kafka/partition_member.hpp"
#include "infra/kafka/short_log.hpp"

namespace berth::kafka {

class connection {
 public:
  // with_sources: records are given with where they were copied from.
  static journal_result<std::unique_ptr<connection>> open(const kafka_options& options,
                                                          bool with_sources);

  // Queues a record; its report comes with its number. False: it was refused here and now.
  bool produce(std::uint32_t partition, const partition_member::outgoing& what);
  struct report {
    std::uint32_t partition{};
    std::uint64_t number{};
    partition_member::report what{};
    std::optional<std::uint64_t> offset;
  };
  // The reports that came within `wait`. `ended`: the producer cannot go on, its unreported records
  // are never reported; renew_producer() makes another.
  // All that are there then; those of a partition in their order, one after the other.
  std::vector<report> poll_reports(std::chrono::milliseconds wait, bool& ended);
  std::optional<journal_error> renew_producer();
  // Ends poll_reports() at once.
  void wake_reports();

  // Reads every partition from the offset of its index on.
  std::optional<journal_error> assign(const std::vector<std::uint64_t>& offsets);
  struct record {
    std::uint32_t partition{};
    std::uint64_t offset{};
    std::string_view bytes;
    std::string source;
  };
  // Nothing within `wait`; or a record, valid during the call of `use`; or an error that ends
  // reading of a partition (`data_loss`: the topic has not what comes next). Passing trouble is
  // logged only.
  std::optional<journal_error> poll_record(std::chrono::milliseconds wait, bool& found,
                                           const std::function<void(const record&)>& use);
  // Of each partition as end_of, with one request a broker; of none if one of the brokers does not
  // answer in time.
  std::vector<std::optional<std::uint64_t>> ends_of(const std::vector<std::uint32_t>& partitions,
                                                    std::chrono::milliseconds wait);
  // One past the last record; asks the broker.
  journal_result<std::uint64_t> end_of(std::uint32_t partition, std::chrono::milliseconds wait);
  // As last heard; 0: nothing yet.
  std::uint64_t last_heard_end(std::uint32_t partition) const;

 private:
  struct producer {
    handle end;
    queue reports;
    topic commits;
  };
  connection(const kafka_options& options, bool with_sources)
      : options_{options}, with_sources_{with_sources} {}
  std::shared_ptr<producer> present() const;
  journal_error explain(const rd_kafka_message_t& failed) const;
  std::optional<journal_error> read_again(const rd_kafka_message_t& failed);

  // Of a partition, where it is read; the reader's thread.
  struct place {
    std::uint64_t next_offset{};
    short_log end_seen;
    bool is_stopped{};
  };
  void restart_reading();
  const kafka_options options_;
  const bool with_sources_;
  mutable std::mutex mutex_;
  std::shared_ptr<producer> producer_;
  handle consumer_;
  std::vector<place> places_;
  std::optional<std::chrono::steady_clock::time_point> restart_at_;  // of those that are stopped
};

}  // namespace berth::kafka
