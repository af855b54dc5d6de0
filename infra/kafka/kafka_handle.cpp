#include "infra/kafka/kafka_handle.hpp"

#include <vector>

#include <spdlog/spdlog.h>

namespace berth::kafka {
namespace {

using settings = std::vector<std::pair<std::string, std::string>>;

struct conf_end {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};

settings common(const kafka_options& options) {
  settings all{{"bootstrap.servers", options.bootstrap},
               {"client.id", "berth-" + options.node},
               {"security.protocol", options.security_protocol},
               // Small requests must not wait for each other's acknowledgements.
               {"socket.nagle.disable", "true"},
               {"socket.keepalive.enable", "true"},
               {"reconnect.backoff.ms", "50"},
               {"reconnect.backoff.max.ms", "1000"},
               {"topic.metadata.refresh.interval.ms", "30000"},
               {"allow.auto.create.topics", "false"}};
  if (options.security_protocol.starts_with("sasl")) {
    all.emplace_back("sasl.mechanisms", options.sasl_mechanism);
    all.emplace_back("sasl.username", options.sasl_username);
    all.emplace_back("sasl.password", options.sasl_password);
  }
  if (!options.ca_file.empty()) all.emplace_back("ssl.ca.location", options.ca_file);
  if (!options.certificate_file.empty())
    all.emplace_back("ssl.certificate.location", options.certificate_file);
  if (!options.key_file.empty()) all.emplace_back("ssl.key.location", options.key_file);
  return all;
}

void log_line(const rd_kafka_t*, int level, const char*, const char* text) {
  // Syslog levels. A broker that went away is news once, and tried again by itself.
  if (level <= 3)
    spdlog::warn("kafka: {}", text);
  else
    spdlog::debug("kafka: {}", text);
}

// What differs between the kinds of handle beside their settings.
struct kind {
  rd_kafka_type_t type{};
  int events{};
  rebalance_callback on_rebalance{};
  void* with{};
};

journal_result<handle> make(const kind& of, const settings& all) {
  std::unique_ptr<rd_kafka_conf_t, conf_end> conf{rd_kafka_conf_new()};
  char why[512];
  for (const auto& [name, value] : all)
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK)
      return journal_error{journal_errc::io, std::string{"kafka: "} + why, std::nullopt};
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  if (of.events != 0) rd_kafka_conf_set_events(conf.get(), of.events);
  if (of.on_rebalance) {
    rd_kafka_conf_set_rebalance_cb(conf.get(), of.on_rebalance);
    rd_kafka_conf_set_opaque(conf.get(), of.with);
  }
  handle made{rd_kafka_new(of.type, conf.get(), why, sizeof why)};
  if (!made) return journal_error{journal_errc::io, std::string{"kafka: "} + why, std::nullopt};
  static_cast<void>(conf.release());  // the handle's now
  return made;
}

}  // namespace

journal_result<handle> make_producer(const kafka_options& options) {
  auto all = common(options);
  all.insert(all.end(),
             {{"enable.idempotence", "true"},
              {"acks", "all"},
              // What queued while the last requests were under way is the next batch by itself.
              {"linger.ms", "0"},
              {"message.timeout.ms", std::to_string(options.delivery_timeout_ms.count())},
              {"message.max.bytes", std::to_string(commit_bytes_max + 4096)},
              {"queue.buffering.max.messages", "10000000"},  // partition_member bounds them
              {"queue.buffering.max.kbytes", "2097151"},
              {"delivery.report.only.error", "false"}});
  return make({RD_KAFKA_PRODUCER, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR}, all);
}

journal_result<handle> make_consumer(const kafka_options& options) {
  auto all = common(options);
  all.insert(all.end(),
             {{"group.id", options.topic_prefix + "-readers"},  // asked for, never joined
              {"enable.auto.commit", "false"},
              {"enable.auto.offset.store", "false"},
              {"auto.offset.reset", "error"},
              {"isolation.level", "read_uncommitted"},
              {"check.crcs", "true"},
              {"fetch.wait.max.ms", "100"},
              {"fetch.error.backoff.ms", "50"},
              {"fetch.message.max.bytes", "8388608"},
              {"queued.max.messages.kbytes", "65536"}});
  return make({RD_KAFKA_CONSUMER}, all);
}

journal_result<handle> make_group_member(const kafka_options& options, const std::string& name,
                                         rebalance_callback on_rebalance, void* with) {
  auto all = common(options);
  const auto session_ms = options.session_timeout_ms.count();
  all.insert(all.end(), {{"group.id", options.leaders_group()},
                         {"client.id", name},
                         {"partition.assignment.strategy", "range"},
                         {"session.timeout.ms", std::to_string(session_ms)},
                         {"heartbeat.interval.ms", std::to_string(session_ms / 5)},
                         {"enable.auto.commit", "false"},
                         {"enable.auto.offset.store", "false"},
                         {"auto.offset.reset", "latest"}});
  return make({RD_KAFKA_CONSUMER, 0, on_rebalance, with}, all);
}

journal_error error_of(rd_kafka_resp_err_t error, const std::string& what) {
  return {journal_errc::io, "kafka: " + what + ": " + rd_kafka_err2str(error), std::nullopt};
}

}  // namespace berth::kafka
