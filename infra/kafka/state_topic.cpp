#include "infra/kafka/state_topic.hpp"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <spdlog/spdlog.h>

#include "events/environment/aggregate.hpp"
#include "events/session/aggregate.hpp"
#include "infra/kafka/kafka_handle.hpp"
#include "infra/kafka/kafka_topics.hpp"
#include "projections/catalog.hpp"
#include "projections/keys.hpp"

namespace berth {
namespace {

constexpr std::size_t commits_at_once = 1'000;
constexpr std::chrono::milliseconds look_every{200};
constexpr std::chrono::milliseconds view_wait{20};
constexpr std::chrono::seconds retry_every{2};
const std::string note_of_place = "state-topic/";

struct latest {
  std::string version;
  std::optional<std::string> value;  // nothing: a tombstone
};

// Whether nobody needs the state any more.
bool is_over(const stream_id& stream, const std::string& row) {
  if (stream.kind == aggregate_kind::environment) {
    const auto now = environment::aggregate::decode_state(row);
    return now && now->status == environment::status::deleted;
  }
  const auto now = session::aggregate::decode_state(row);
  return now && now->closed;
}

class running_state_topic : public state_topic {
 public:
  running_state_topic(const kafka_options& options, state_source from)
      : options_{options}, from_{std::move(from)}, next_(from_.log.partitions(), 1) {
    following_ = from_.log.follow([this](position) { woken_.notify_one(); });
    thread_ = std::thread{[this] { run(); }};
  }
  ~running_state_topic() override {
    following_.reset();
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    woken_.notify_all();
    thread_.join();
  }
  std::uint64_t published() const override { return published_; }

 private:
  void run() {
    while (!pause(std::chrono::milliseconds{0})) {
      const auto failed = connect_and_publish();
      if (failed) spdlog::warn("the topic of states waits: {}", failed->message);
      if (pause(retry_every)) return;
    }
  }

  std::optional<journal_error> connect_and_publish() {
    if (auto failed = prepare_state_topic(options_)) return failed;
    auto producer = kafka::make_producer(options_);
    if (producer.has_error()) return producer.error();
    auto* cluster =
        rd_kafka_clusterid(producer->get(), static_cast<int>(options_.request_timeout_ms.count()));
    if (!cluster)
      return journal_error{journal_errc::io, "kafka: no broker says which cluster it is of",
                           std::nullopt};
    cluster_ = cluster;
    rd_kafka_mem_free(producer->get(), cluster);
    load_places();
    do {
      for (std::uint32_t p = 0; p < next_.size(); ++p) {
        if (from_.publishes && !from_.publishes(p)) continue;
        bool more = true;
        while (more && !pause(std::chrono::milliseconds{0})) {
          const auto published = publish_some(producer->get(), p);
          if (published.has_error()) return published.error();
          more = *published == commits_at_once;
        }
      }
    } while (!pause(look_every));
    return std::nullopt;
  }

  // Of the next commits of a partition; answers how many there were.
  journal_result<std::size_t> publish_some(rd_kafka_t* producer, std::uint32_t partition) {
    const auto commits = from_.log.read({partition, next_[partition]}, commits_at_once);
    if (commits.has_error()) return commits.error();
    if (commits->empty()) return std::size_t{0};
    std::set<stream_id> changed;
    for (const auto& each : *commits) {
      const auto kind = each.body.stream.kind;
      if (kind == aggregate_kind::environment || kind == aggregate_kind::session)
        changed.insert(each.body.stream);
    }
    const auto upto = commits->back().at();
    if (!changed.empty()) {
      if (!wait_for_view(upto)) return std::size_t{0};
      for (const auto& stream : changed)
        if (auto failed = send(producer, stream)) return *failed;
      if (auto failed = wait_for_reports(producer)) return *failed;
      published_ += changed.size();
    }
    next_[partition] = upto.offset + 1;
    save_place(partition);
    return commits->size();
  }

  view_generation catalog_now() const {
    const std::string name{catalog_name};
    return {name, from_.views.live_generation(name)};
  }

  bool wait_for_view(position at) {
    for (;;) {
      const auto reached = from_.views.checkpoint(catalog_now(), at.partition);
      if (reached && reached->offset >= at.offset) return true;
      if (pause(view_wait)) return false;
    }
  }

  std::optional<latest> latest_of(const stream_id& stream) const {
    const auto rows = from_.views.snapshot(catalog_now());
    const auto row = rows->get(keys::join(name_of(stream.kind), stream.key));
    if (!row) return std::nullopt;
    latest now{rows->get(keys::join("version", stream.text())).value_or("0"), std::nullopt};
    if (!is_over(stream, *row)) now.value = *row;
    return now;
  }

  std::optional<journal_error> send(rd_kafka_t* producer, const stream_id& stream) {
    const auto now = latest_of(stream);
    if (!now) return std::nullopt;
    const auto key = stream.text();
    const auto topic = options_.state_topic();
    auto* value = now->value ? const_cast<char*>(now->value->data()) : nullptr;
    const auto size = now->value ? now->value->size() : 0;
    // clang-format off
    const auto error = rd_kafka_producev(producer,
        RD_KAFKA_V_TOPIC(topic.c_str()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
        RD_KAFKA_V_KEY(key.data(), key.size()),
        RD_KAFKA_V_VALUE(value, size),
        RD_KAFKA_V_HEADER("berth-version", now->version.data(),
                          static_cast<ssize_t>(now->version.size())),
        RD_KAFKA_V_END);
    // clang-format on
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    return kafka::error_of(error, "writing " + topic);
  }

  // Until all that was sent is acknowledged; the library gives up by itself (message.timeout.ms).
  std::optional<journal_error> wait_for_reports(rd_kafka_t* producer) {
    const kafka::queue reports{rd_kafka_queue_get_main(producer)};
    std::optional<journal_error> failed;
    while (rd_kafka_outq_len(producer) > 0) {
      const kafka::event told{
          rd_kafka_queue_poll(reports.get(), static_cast<int>(look_every.count()))};
      if (!told || rd_kafka_event_type(told.get()) != RD_KAFKA_EVENT_DR) continue;
      while (const auto* message = rd_kafka_event_message_next(told.get()))
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
          failed = kafka::error_of(message->err, "writing " + options_.state_topic());
    }
    return failed;
  }

  // --- places: of another number of partitions or another topic they are not used ---
  std::string note_name(std::uint32_t partition) const {
    return note_of_place + cluster_ + "/" + options_.state_topic() + "/" +
           std::to_string(next_.size()) + "/" + std::to_string(partition);
  }
  void load_places() {
    for (std::uint32_t p = 0; p < next_.size(); ++p)
      next_[p] = std::max<std::uint64_t>(
          1, std::strtoull(from_.notes.note(note_name(p)).value_or("").c_str(), nullptr, 10));
  }
  void save_place(std::uint32_t partition) {
    from_.notes.set_note(note_name(partition), std::to_string(next_[partition]));
  }

  // True: it ends.
  bool pause(std::chrono::milliseconds length) {
    std::unique_lock lock{mutex_};
    if (length.count() > 0) woken_.wait_for(lock, length, [&] { return stopping_; });
    return stopping_;
  }

  const kafka_options options_;
  const state_source from_;
  std::string cluster_;
  std::vector<std::uint64_t> next_;  // by partition
  std::atomic<std::uint64_t> published_{};
  std::mutex mutex_;
  std::condition_variable woken_;
  bool stopping_{};
  std::shared_ptr<void> following_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<state_topic> start_state_topic(const kafka_options& options, state_source from) {
  return std::make_unique<running_state_topic>(options, std::move(from));
}

}  // namespace berth
