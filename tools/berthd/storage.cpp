#include "tools/berthd/storage.hpp"

#include <filesystem>

#include <spdlog/spdlog.h>

#include "infra/kafka/kafka_topics.hpp"
#include "tools/berthd/server_metrics.hpp"

namespace berth::berthd {
namespace {

// A start that has to read all of a topic says how far it is.
constexpr std::chrono::seconds told_every{5};
constexpr std::chrono::milliseconds looked_every{200};
constexpr const char* replica_folder = "replica";

embedded_options options_of(const storage::asked& what) {
  embedded_options options;
  options.data_dir = what.directory.path();
  options.time = &what.time;
  options.limits.deduplication_window = std::chrono::hours{what.of.dedupe_window_hours};
  options.on_fatal = what.on_fatal;
  options.on_progress = [](const std::string& doing, std::uint64_t done, std::uint64_t all) {
    spdlog::info("{}: {} of {}", doing, done, all);
  };
  options.on_storage_error = [](const std::string& what) { spdlog::warn("rocksdb: {}", what); };
  return options;
}

journal_error cannot_note(const data_directory& in) {
  return {journal_errc::io, in.path() + ": cannot be written", std::nullopt};
}

// A directory is of one engine from its first start on; berth-replay changes it.
std::optional<journal_error> check_engine(const storage::asked& what) {
  const auto& in = what.directory;
  const std::filesystem::path folder{in.path()};
  if (in.engine().engine == what.of.engine) return std::nullopt;
  if (in.engine().engine == "embedded" && !std::filesystem::exists(folder / "log")) {
    if (in.set_engine({what.of.engine, {}})) return cannot_note(in);
    return std::nullopt;
  }
  return journal_error{journal_errc::conflict,
                       in.path() + " holds a journal of engine = " + in.engine().engine +
                           ", and engine = " + what.of.engine +
                           " was asked for; give another data directory, or move the journal with "
                           "berth-replay",
                       std::nullopt};
}

// Until `done`, which may take as long as it takes to read all of a topic.
std::optional<journal_error> wait_reading(kafka_log& log, const std::function<bool()>& is_stopped,
                                          const std::function<bool(std::string& why)>& done) {
  std::string why;
  auto told = std::chrono::steady_clock::now();
  while (!done(why)) {
    if (is_stopped())
      return journal_error{journal_errc::closed, "stopped while reading the Kafka journal",
                           std::nullopt};
    if (std::chrono::steady_clock::now() - told < told_every) continue;
    told = std::chrono::steady_clock::now();
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

std::optional<journal_error> lead_all(kafka_log& log, const std::function<bool()>& is_stopped) {
  for (std::uint32_t p = 0; p < log.partitions(); ++p) log.want(p, true);
  return wait_reading(log, is_stopped,
                      [&](std::string& why) { return log.wait_until_leading(looked_every, &why); });
}

// Who comes to lead a partition has read it: a move takes no longer than its announcement.
std::optional<journal_error> read_all(kafka_log& log, const std::function<bool()>& is_stopped) {
  return wait_reading(log, is_stopped,
                      [&](std::string&) { return log.wait_until_read(looked_every); });
}

}  // namespace

journal_result<std::unique_ptr<storage>> storage::open(const asked& what) {
  auto made = std::make_unique<storage>();
  auto options = options_of(what);
  auto kafka = what.of.kafka.options;
  kafka.limits = options.limits;
  const auto server = what.directory.this_host().value;
  if (kafka.node.empty()) kafka.node = server;
  if (auto wrong = check_engine(what)) return *wrong;
  if (what.of.engine == "kafka") {
    options.data_dir = std::filesystem::path{what.directory.path()} / replica_folder;
    // What is in memory here would be old from now on.
    leadership_news news;
    kafka.shared = what.of.cluster.has_value();
    if (!kafka.shared)
      news.taken_over = [fatal = what.on_fatal](std::uint32_t partition, const std::string& node) {
        fatal({journal_errc::closed,
               "node " + node + " leads partition " + std::to_string(partition) +
                   " now; one server a topic, or a [cluster]",
               std::nullopt});
      };
    news.began = [told = what.on_leadership](std::uint32_t partition) { told(partition, true); };
    news.ended = [told = what.on_leadership](std::uint32_t partition) { told(partition, false); };
    auto opened = open_kafka(kafka, options, std::move(news));
    if (opened.has_error()) return opened.error();
    made->kafka_ = std::move(*opened);
    auto& log = made->kafka_->log();
    if (auto failed = (kafka.shared ? read_all : lead_all)(log, what.is_stopped)) return *failed;
    made->epoch_ = what.directory.next_incarnation(1);
    if (made->epoch_ == 0) return cannot_note(what.directory);
    const auto led_here = [&log](std::uint32_t p) {
      return log.stats(p).role == partition_member::role::leading;
    };
    made->states_ =
        start_state_topic(kafka, {made->journal(), made->views(), made->kafka_->notes(), led_here});
    return made;
  }
  options.cursor_tag = what.directory.engine().cursor_tag;
  auto opened = open_embedded(options);
  if (opened.has_error()) return opened.error();
  made->embedded_ = std::move(*opened);
  made->epoch_ = what.directory.next_incarnation(made->embedded_->epoch());
  if (made->epoch_ == 0) return cannot_note(what.directory);
  if (!what.of.kafka.mirror) return made;
  made->mirror_ = start_mirror(kafka, server, *made->embedded_, what.time);
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
