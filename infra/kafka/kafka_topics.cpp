#include "infra/kafka/kafka_topics.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "infra/kafka/kafka_handle.hpp"

namespace berth {
namespace {

constexpr const char* keep_for_ever = "-1";
constexpr std::size_t record_bytes_max = commit_bytes_max + 4'096;  // with key and headers

int wait_of(const kafka_options& options) {
  return static_cast<int>(options.request_timeout_ms.count());
}

struct metadata_end {
  void operator()(const rd_kafka_metadata_t* of) const { rd_kafka_metadata_destroy(of); }
};
using metadata = std::unique_ptr<const rd_kafka_metadata_t, metadata_end>;

// How a request of the operator's kind is asked for and waited for.
kafka::event wait_for(
    rd_kafka_t* handle, const kafka_options& options,
    const std::function<void(const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& ask) {
  const kafka::queue answers{rd_kafka_queue_new(handle)};
  const std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)> how{
      rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_ANY), rd_kafka_AdminOptions_destroy};
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(how.get(), wait_of(options), why, sizeof why);
  ask(how.get(), answers.get());
  return kafka::event{rd_kafka_queue_poll(answers.get(), wait_of(options) + 1'000)};
}

journal_error no_answer(const kafka_options& options, const std::string& what) {
  return {journal_errc::io,
          "kafka: " + options.bootstrap + ": " + what +
              "; check kafka.bootstrap, and that the brokers are up",
          std::nullopt};
}

// What the library said of connections meanwhile: refused, not who they say they are, not let in.
std::string reason_heard(rd_kafka_t* producer) {
  const kafka::queue heard{rd_kafka_queue_get_main(producer)};
  std::string reason;
  while (const kafka::event told{rd_kafka_queue_poll(heard.get(), 0)}) {
    if (rd_kafka_event_type(told.get()) != RD_KAFKA_EVENT_ERROR) continue;
    // "All brokers are down" says less than what came before it.
    if (!reason.empty() && rd_kafka_event_error(told.get()) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
      continue;
    reason = std::string{" ("} + rd_kafka_event_error_string(told.get()) + ")";
  }
  return reason;
}

journal_result<metadata> ask_metadata(rd_kafka_t* handle, const kafka_options& options) {
  const std::unique_ptr<rd_kafka_topic_t, void (*)(rd_kafka_topic_t*)> topic{
      rd_kafka_topic_new(handle, options.commits_topic().c_str(), nullptr), rd_kafka_topic_destroy};
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(handle, 0, topic.get(), &found, wait_of(options));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return no_answer(options, rd_kafka_err2str(error) + reason_heard(handle));
  return metadata{found};
}

using configs = std::vector<std::pair<const char*, std::string>>;

configs of_commits(const kafka_options& options) {
  configs all{{"min.insync.replicas", std::to_string(options.min_insync_replicas)},
              {"cleanup.policy", "delete"},
              {"retention.ms", keep_for_ever},
              {"retention.bytes", keep_for_ever},
              {"unclean.leader.election.enable", "false"},
              {"max.message.bytes", std::to_string(record_bytes_max)}};
  // One broker's page cache is not durable.
  if (options.replication_factor == 1) all.emplace_back("flush.messages", "1");
  return all;
}

// No error if it is there already.
std::optional<journal_error> create(rd_kafka_t* handle, const kafka_options& options,
                                    const std::string& name, const configs& all) {
  char why[512];
  const std::unique_ptr<rd_kafka_NewTopic_t, void (*)(rd_kafka_NewTopic_t*)> topic{
      rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(options.partitions),
                            options.replication_factor, why, sizeof why),
      rd_kafka_NewTopic_destroy};
  if (!topic) return journal_error{journal_errc::io, "kafka: " + name + ": " + why, std::nullopt};
  for (const auto& [key, value] : all)
    rd_kafka_NewTopic_set_config(topic.get(), key, value.c_str());
  const auto done = wait_for(handle, options, [&](const auto* how, auto* answers) {
    rd_kafka_NewTopic_t* all[] = {topic.get()};
    rd_kafka_CreateTopics(handle, all, 1, how, answers);
  });
  if (!done) return no_answer(options, "making the topic " + name + " was not answered");
  if (rd_kafka_event_error(done.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return no_answer(options, rd_kafka_event_error_string(done.get()));
  std::size_t count = 0;
  const auto* const* made =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(done.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(made[i]);
    // Another node may have been first.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const auto* text = rd_kafka_topic_result_error_string(made[i]);
    return journal_error{journal_errc::io,
                         "kafka: making the topic " + name + " with " +
                             std::to_string(options.partitions) + " partitions, replicated " +
                             std::to_string(options.replication_factor) +
                             " times: " + (text ? text : rd_kafka_err2str(error)),
                         std::nullopt};
  }
  return std::nullopt;
}

void read_configs(rd_kafka_t* handle, const kafka_options& options, topic_facts& facts) {
  const std::unique_ptr<rd_kafka_ConfigResource_t, void (*)(rd_kafka_ConfigResource_t*)> topic{
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, options.commits_topic().c_str()),
      rd_kafka_ConfigResource_destroy};
  const auto done = wait_for(handle, options, [&](const auto* how, auto* answers) {
    rd_kafka_ConfigResource_t* all[] = {topic.get()};
    rd_kafka_DescribeConfigs(handle, all, 1, how, answers);
  });
  // Who may not ask for it is not told; the defaults stand.
  if (!done || rd_kafka_event_error(done.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  std::size_t resources = 0;
  const auto* const* found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(done.get()), &resources);
  if (resources == 0) return;
  std::size_t count = 0;
  const auto* const* entries = rd_kafka_ConfigResource_configs(found[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = rd_kafka_ConfigEntry_name(entries[i]);
    const auto* text = rd_kafka_ConfigEntry_value(entries[i]);
    const std::string value = text ? text : "";
    if (name == "min.insync.replicas") facts.min_insync_replicas = std::atoi(value.c_str());
    if (name == "unclean.leader.election.enable") facts.unclean_leader_election = value == "true";
    if (name == "cleanup.policy") facts.cleanup_policy = value;
    if (name == "retention.ms") facts.retention_ms = std::atol(value.c_str());
    if (name == "retention.bytes") facts.retention_bytes = std::atol(value.c_str());
    if (name == "max.message.bytes") facts.message_bytes_max = std::atol(value.c_str());
    if (name == "flush.messages") facts.flush_messages = std::atol(value.c_str());
  }
}

}  // namespace

journal_result<topic_facts> prepare_topics(const kafka_options& options) {
  const auto handle = kafka::make_producer(options);
  if (handle.has_error()) return handle.error();
  const auto name = options.commits_topic();
  // A topic that was made a moment ago is not known to every broker yet.
  constexpr int tries_max = 50;
  constexpr std::chrono::milliseconds between{100};
  for (int tries = 0; tries < tries_max; ++tries) {
    const auto found = ask_metadata(handle->get(), options);
    if (found.has_error()) return found.error();
    const auto& topic = (*found)->topics[0];
    if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic.partition_cnt == 0) {
      if (!options.create_topics)
        return journal_error{
            journal_errc::not_found,
            "kafka: there is no topic " + name + "; make it, or set kafka.create_topics = true",
            std::nullopt};
      if (tries == 0)
        if (auto failed = create(handle->get(), options, name, of_commits(options))) return *failed;
      std::this_thread::sleep_for(between);
      continue;
    }
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return no_answer(options, name + ": " + rd_kafka_err2str(topic.err));
    if (topic.partition_cnt != static_cast<int>(options.partitions))
      return journal_error{journal_errc::conflict,
                           "kafka: " + name + " has " + std::to_string(topic.partition_cnt) +
                               " partitions, kafka.partitions says " +
                               std::to_string(options.partitions) +
                               "; a stream's partition never changes, so neither may the number",
                           std::nullopt};
    topic_facts facts;
    facts.partitions = topic.partition_cnt;
    facts.replication_factor = topic.partitions[0].replica_cnt;
    if (auto* id = rd_kafka_clusterid(handle->get(), wait_of(options))) {
      facts.cluster = id;
      rd_kafka_mem_free(handle->get(), id);
    }
    read_configs(handle->get(), options, facts);
    return facts;
  }
  return no_answer(options, "the topic " + name + " was made and is not there");
}

std::optional<journal_error> prepare_state_topic(const kafka_options& options) {
  if (!options.create_topics) return std::nullopt;
  const auto handle = kafka::make_producer(options);
  if (handle.has_error()) return handle.error();
  return create(handle->get(), options, options.state_topic(), {{"cleanup.policy", "compact"}});
}

std::vector<std::string> doubts_about(const topic_facts& facts, const kafka_options& options) {
  std::vector<std::string> doubts;
  const auto name = options.commits_topic();
  const auto flushes = facts.flush_messages == 1;
  if (facts.unclean_leader_election)
    doubts.push_back(name +
                     ": unclean.leader.election.enable = true may lose acknowledged commits");
  if (facts.replication_factor < 2 && !flushes)
    doubts.push_back(name +
                     ": one replica and no flush.messages = 1: a power cut may lose acknowledged "
                     "commits");
  if (facts.replication_factor > 1 && facts.min_insync_replicas < 2)
    doubts.push_back(name + ": min.insync.replicas = " + std::to_string(facts.min_insync_replicas) +
                     " acknowledges commits that one broker alone has");
  if (facts.cleanup_policy.find("compact") != std::string::npos)
    doubts.push_back(name + ": cleanup.policy = " + facts.cleanup_policy +
                     " removes commits; it must be delete");
  if (facts.retention_ms >= 0)
    doubts.push_back(name + ": retention.ms = " + std::to_string(facts.retention_ms) +
                     " removes commits; it must be -1");
  if (facts.retention_bytes >= 0)
    doubts.push_back(name + ": retention.bytes = " + std::to_string(facts.retention_bytes) +
                     " removes commits; it must be -1");
  if (facts.message_bytes_max < static_cast<long>(record_bytes_max))
    doubts.push_back(name + ": max.message.bytes = " + std::to_string(facts.message_bytes_max) +
                     " refuses large commits; it must be at least " +
                     std::to_string(record_bytes_max));
  return doubts;
}

}  // namespace berth
