#include "infra/kafka/kafka_group.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <spdlog/spdlog.h>

#include "infra/kafka/kafka_handle.hpp"

namespace berth {
namespace {

constexpr int poll_wait_ms = 50;

class joined_group : public kafka_group {
 public:
  explicit joined_group(std::function<void(const std::vector<std::uint32_t>&)> wanted)
      : wanted_{std::move(wanted)} {}
  ~joined_group() override {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::optional<journal_error> start(const kafka_options& options) {
    auto consumer = kafka::make_group_member(options, on_rebalance, this);
    if (consumer.has_error()) return consumer.error();
    consumer_ = std::move(*consumer);
    rd_kafka_poll_set_consumer(consumer_.get());
    const kafka::partition_list topics{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(topics.get(), options.commits_topic().c_str(),
                                      RD_KAFKA_PARTITION_UA);
    const auto error = rd_kafka_subscribe(consumer_.get(), topics.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return kafka::error_of(error, "joining the group of " + options.commits_topic());
    thread_ = std::thread{[this] { run(); }};
    return std::nullopt;
  }

 private:
  static void on_rebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                           rd_kafka_topic_partition_list_t* partitions, void* self) {
    static_cast<joined_group*>(self)->rebalanced(consumer, what, partitions);
  }

  // With the range assignor every rebalance takes all away and gives all anew: what is given again
  // is never given up.
  void rebalanced(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                  rd_kafka_topic_partition_list_t* partitions) {
    if (what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      const bool lost = rd_kafka_assignment_lost(consumer) != 0;
      rd_kafka_assign(consumer, nullptr);
      if (lost) tell({});
      return;
    }
    rd_kafka_assign(consumer, partitions);
    rd_kafka_pause_partitions(consumer, partitions);
    std::vector<std::uint32_t> given;
    for (int i = 0; i < partitions->cnt; ++i)
      given.push_back(static_cast<std::uint32_t>(partitions->elems[i].partition));
    std::sort(given.begin(), given.end());
    tell(given);
  }

  void tell(const std::vector<std::uint32_t>& partitions) {
    if (told_ && *told_ == partitions) return;
    told_ = partitions;
    spdlog::info("kafka: this node should lead {} partitions", partitions.size());
    wanted_(partitions);
  }

  void run() {
    while (!stopping_) {
      const kafka::message got{rd_kafka_consumer_poll(consumer_.get(), poll_wait_ms)};
      if (got && got->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        spdlog::debug("kafka: the group: {}", rd_kafka_message_errstr(got.get()));
    }
    rd_kafka_consumer_close(consumer_.get());
  }

  const std::function<void(const std::vector<std::uint32_t>&)> wanted_;
  kafka::handle consumer_;
  std::optional<std::vector<std::uint32_t>> told_;
  std::atomic<bool> stopping_{};
  std::thread thread_;
};

}  // namespace

journal_result<std::unique_ptr<kafka_group>> join_group(
    const kafka_options& options,
    std::function<void(const std::vector<std::uint32_t>& partitions)> wanted) {
  auto joined = std::make_unique<joined_group>(std::move(wanted));
  if (auto failed = joined->start(options)) return *failed;
  return std::unique_ptr<kafka_group>{std::move(joined)};
}

}  // namespace berth
