#include "infra/kafka/kafka_group.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include <spdlog/spdlog.h>

#include "infra/kafka/kafka_handle.hpp"

namespace berth {
namespace {

constexpr int poll_wait_ms = 50;
constexpr int describe_wait_ms = 2'000;
constexpr std::chrono::milliseconds describe_again{20};  // while the coordinator is not done
// Without a view for so many session timeouts it joins anew: librdkafka 2.0 has ways to lose its
// place in a group whose coordinator moves, and not to come back.
constexpr int rejoin_after_sessions = 3;

struct admin_options_end {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};

class joined_group : public kafka_group {
 public:
  joined_group(kafka_options options, std::string name,
               std::function<void(const group_view&)> changed)
      : options_{std::move(options)},
        name_{std::move(name)},
        group_{options_.leaders_group()},
        changed_{std::move(changed)} {}
  ~joined_group() override {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::optional<journal_error> start() {
    if (auto failed = join()) return failed;
    thread_ = std::thread{[this] { run(); }};
    return std::nullopt;
  }

 private:
  using clock = std::chrono::steady_clock;

  std::optional<journal_error> join() {
    auto consumer = kafka::make_group_member(options_, name_, on_rebalance, this);
    if (consumer.has_error()) return consumer.error();
    consumer_ = std::move(*consumer);
    joined_at_ = clock::now();
    rd_kafka_poll_set_consumer(consumer_.get());
    const kafka::partition_list topics{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(topics.get(), options_.commits_topic().c_str(),
                                      RD_KAFKA_PARTITION_UA);
    const auto error = rd_kafka_subscribe(consumer_.get(), topics.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    return kafka::error_of(error, "joining " + group_);
  }

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
      described_ = true;
      settled_ = false;
      if (lost) tell({});
      return;
    }
    rd_kafka_assign(consumer, partitions);
    rd_kafka_pause_partitions(consumer, partitions);
    assigned_.clear();
    for (int i = 0; i < partitions->cnt; ++i)
      assigned_.push_back(static_cast<std::uint32_t>(partitions->elems[i].partition));
    std::sort(assigned_.begin(), assigned_.end());
    described_ = settled_ = false;
  }

  // Every member gets an assignment whenever the members change: they are asked for then.
  void describe() {
    auto members = members_now();
    if (members.has_error()) {
      why_ = members.error().message;
      std::this_thread::sleep_for(describe_again);
      return;
    }
    described_ = settled_ = true;
    why_.clear();
    tell({assigned_, std::move(*members)});
  }

  // An error: the coordinator cannot say now.
  journal_result<std::vector<std::string>> members_now() {
    const kafka::queue answers{rd_kafka_queue_new(consumer_.get())};
    const std::unique_ptr<rd_kafka_AdminOptions_t, admin_options_end> options{
        rd_kafka_AdminOptions_new(consumer_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS)};
    char why[256];
    rd_kafka_AdminOptions_set_request_timeout(options.get(), describe_wait_ms, why, sizeof why);
    std::array<const char*, 1> groups{group_.c_str()};
    rd_kafka_DescribeConsumerGroups(consumer_.get(), groups.data(), groups.size(), options.get(),
                                    answers.get());
    const kafka::event answer{rd_kafka_queue_poll(answers.get(), describe_wait_ms)};
    const auto error = answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka::error_of(error, "who is in " + group_);
    const auto* result = rd_kafka_event_DescribeConsumerGroups_result(answer.get());
    std::size_t count = 0;
    const auto** found = rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
    if (count != 1) return kafka::error_of(RD_KAFKA_RESP_ERR__UNKNOWN_GROUP, "who is in " + group_);
    if (const auto* refused = rd_kafka_ConsumerGroupDescription_error(found[0]))
      return kafka::error_of(rd_kafka_error_code(refused), "who is in " + group_);
    if (rd_kafka_ConsumerGroupDescription_state(found[0]) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
      return kafka::error_of(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, "who is in " + group_);
    std::vector<std::string> members;
    for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(found[0]); ++i)
      members.emplace_back(rd_kafka_MemberDescription_client_id(
          rd_kafka_ConsumerGroupDescription_member(found[0], i)));
    std::sort(members.begin(), members.end());
    return members;
  }

  void tell(group_view now) {
    if (told_ && *told_ == now) return;
    told_ = std::move(now);
    spdlog::info("kafka: {} nodes share the partitions", told_->members.size());
    changed_(*told_);
  }

  void run() {
    while (!stopping_) {
      if (!consumer_) {
        std::this_thread::sleep_for(describe_again);
        if (join()) continue;
      }
      poll();
      if (!described_) describe();
      if (settled_)
        joined_at_ = clock::now();
      else
        rejoin_if_lost();
    }
    // One that has lost its place may wait for ever to leave it in order.
    if (consumer_ && settled_)
      rd_kafka_consumer_close(consumer_.get());
    else
      drop_consumer();
  }

  // What it returns must be gone before the consumer is.
  void poll() {
    const kafka::message got{
        rd_kafka_consumer_poll(consumer_.get(), described_ ? poll_wait_ms : 0)};
    if (got && got->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      spdlog::debug("kafka: the group: {}", rd_kafka_message_errstr(got.get()));
  }

  void drop_consumer() {
    if (consumer_)
      rd_kafka_destroy_flags(consumer_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }

  void rejoin_if_lost() {
    if (clock::now() - joined_at_ < rejoin_after_sessions * options_.session_timeout_ms) return;
    spdlog::warn("kafka: joining {} anew: nothing was heard of it ({})", group_,
                 why_.empty() ? "no assignment" : why_);
    drop_consumer();
    described_ = true;
    why_.clear();
    tell({});  // what was known is old; what nobody takes is led on
  }

  const kafka_options options_;
  const std::string name_;
  const std::string group_;
  const std::function<void(const group_view&)> changed_;
  kafka::handle consumer_;
  std::vector<std::uint32_t> assigned_;
  bool described_{true};  // nothing is to be asked: who is there was told, or nothing is assigned
  bool settled_{};        // assigned, and told who is there
  std::optional<group_view> told_;
  clock::time_point joined_at_;  // or last known to be in it
  std::string why_;
  std::atomic<bool> stopping_{};
  std::thread thread_;
};

}  // namespace

journal_result<std::unique_ptr<kafka_group>> join_group(
    const kafka_options& options, const std::string& name,
    std::function<void(const group_view& now)> changed) {
  auto joined = std::make_unique<joined_group>(options, name, std::move(changed));
  if (auto failed = joined->start()) return *failed;
  return std::unique_ptr<kafka_group>{std::move(joined)};
}

}  // namespace berth
