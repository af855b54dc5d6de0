#include "tools/berthd/storage.hpp"

#include <filesystem>

#include <spdlog/spdlog.h>

#include "infra/kafka/kafka_topics.hpp"
#include "tools/berthd/server_metrics.hpp"

namespace berth::berthd {
namespace {

// A start that has to read all of a topic says how far it is.
constexpr std::chrono::seconds told_every{5};
constexpr const char* replica_folder = "replica";

embedded_options options_of(const storage::asked& what) {
  embedded_options options;
  options.data_dir = what.data_dir;
  options.time = &what.time;
  options.limits.deduplication_window = std::chrono::hours{what.of.dedupe_window_hours};
  options.on_fatal = what.on_fatal;
  options.on_progress = [](const std::string& doing, std::uint64_t done, std::uint64_t all) {
    spdlog::info("{}: {} of {}", doing, done, all);
  };
  options.on_storage_error = [](const std::string& what) { spdlog::warn("rocksdb: {}", what); };
  return options;
}

journal_error other_engine(const std::string& folder, const std::string& holds,
                           const std::string& asked) {
  return {journal_errc::conflict,
          folder + " holds " + holds + ", and engine = " + asked +
              " was asked for; give another data directory",
          std::nullopt};
}

std::optional<journal_error> lead_all(kafka_log& log) {
  for (std::uint32_t p = 0; p < log.partitions(); ++p) log.want(p, true);
  std::string why;
  while (!log.wait_until_leading(told_every, &why)) {
    std::uint64_t read = 0, all = 0;
    for (std::uint32_t p = 0; p < log.partitions(); ++p) {
      const auto of = log.stats(p);
      read += of.next_offset;
      all += std::max(of.end_offset, of.next_offset);
    }
    spdlog::info("reading the Kafka journal: {} of {} records; {}", read, all, why);
  }
  return std::nullopt;
}

}  // namespace

journal_result<std::unique_ptr<storage>> storage::open(const asked& what) {
  auto made = std::make_unique<storage>();
  auto options = options_of(what);
  auto kafka = what.of.kafka.options;
  kafka.limits = options.limits;
  if (kafka.node.empty()) kafka.node = what.server;
  const std::filesystem::path folder{what.data_dir};
  if (what.of.engine == "kafka") {
    if (std::filesystem::exists(folder / "log"))
      return other_engine(what.data_dir, "an embedded journal", what.of.engine);
    options.data_dir = folder / replica_folder;
    // What is in memory here would be old from now on.
    const auto taken_over = [fatal = what.on_fatal](std::uint32_t partition,
                                                    const std::string& node) {
      fatal({journal_errc::closed,
             "node " + node + " leads partition " + std::to_string(partition) +
                 " now; one server a topic",
             std::nullopt});
    };
    auto opened = open_kafka(kafka, options, taken_over);
    if (opened.has_error()) return opened.error();
    made->kafka_ = std::move(*opened);
    auto& log = made->kafka_->log();
    if (auto failed = lead_all(log)) return *failed;
    const auto led_here = [&log](std::uint32_t p) {
      return log.stats(p).role == partition_member::role::leading;
    };
    made->states_ =
        start_state_topic(kafka, {made->journal(), made->views(), made->kafka_->notes(), led_here});
    return made;
  }
  if (std::filesystem::exists(folder / replica_folder))
    return other_engine(what.data_dir, "a replica of a Kafka journal", what.of.engine);
  auto opened = open_embedded(options);
  if (opened.has_error()) return opened.error();
  made->embedded_ = std::move(*opened);
  if (!what.of.kafka.mirror) return made;
  made->mirror_ = start_mirror(kafka, what.server, *made->embedded_, what.time);
  made->states_ =
      start_state_topic(kafka, {made->journal(), made->views(), made->embedded_->notes(), {}});
  return made;
}

void storage::add_metrics(metrics_page& to) const {
  if (embedded_) add_embedded_metrics(to, *embedded_);
  if (mirror_) add_mirror_metrics(to, *mirror_);
  if (kafka_) add_kafka_metrics(to, kafka_->log());
  if (states_)
    to.counter("berth_kafka_states_published_total", "States sent to the topic of latest states",
               [this] { return static_cast<double>(states_->published()); });
}

bool check_brokers(const settings& of, std::vector<std::string>& lines) {
  auto options = of.kafka.options;
  options.create_topics = false;  // a look changes nothing
  const auto facts = prepare_topics(options);
  if (facts.has_error()) {
    lines.push_back(facts.error().message);
    // A topic that a start will make is no reason not to start.
    return facts.error().code == journal_errc::not_found && of.kafka.options.create_topics;
  }
  lines.push_back("kafka: cluster " + facts->cluster + ", topic " + options.commits_topic() + ": " +
                  std::to_string(facts->partitions) + " partitions, replicated " +
                  std::to_string(facts->replication_factor) + " times, min.insync.replicas " +
                  std::to_string(facts->min_insync_replicas));
  for (auto& doubt : doubts_about(*facts, options)) lines.push_back("kafka: " + doubt);
  return true;
}

}  // namespace berth::berthd
