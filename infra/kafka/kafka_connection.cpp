#include "infra/kafka/kafka_connection.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace berth::kafka {
namespace {

constexpr std::size_t reports_at_once = 2'000;
constexpr std::chrono::milliseconds restart_after{200};
constexpr std::string_view kind_header = "berth-kind";
constexpr std::string_view source_header = "berth-source";

void add_header(rd_kafka_headers_t* to, std::string_view name, std::string_view value) {
  rd_kafka_header_add(to, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

std::string source_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, source_header.data(), &value, &size) !=
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  return {static_cast<const char*>(value), size};
}

// Without it the first record to a topic waits for the library's next look at topics, up to a
// second.
void warm_up(rd_kafka_t* producer, rd_kafka_topic_t* topic, const kafka_options& options) {
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(producer, 0, topic, &found,
                                       static_cast<int>(options.request_timeout_ms.count()));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(found);
}

connection::report report_of(const rd_kafka_message_t& message) {
  connection::report told;
  told.partition = static_cast<std::uint32_t>(message.partition);
  told.number = reinterpret_cast<std::uintptr_t>(message._private);
  const bool written = message.err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                       rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_PERSISTED;
  told.what = written ? partition_member::report::persisted : partition_member::report::failed;
  if (written && message.offset >= 0) told.offset = static_cast<std::uint64_t>(message.offset);
  if (!written)
    spdlog::warn("kafka: a record of partition {} was not acknowledged: {}", message.partition,
                 rd_kafka_err2str(message.err));
  return told;
}

}  // namespace

journal_result<std::unique_ptr<connection>> connection::open(const kafka_options& options,
                                                             bool with_sources) {
  std::unique_ptr<connection> opened{new connection{options, with_sources}};
  if (auto failed = opened->renew_producer()) return *failed;
  auto consumer = make_consumer(options);
  if (consumer.has_error()) return consumer.error();
  opened->consumer_ = std::move(*consumer);
  rd_kafka_poll_set_consumer(opened->consumer_.get());
  return opened;
}

std::optional<journal_error> connection::renew_producer() {
  auto made = make_producer(options_);
  if (made.has_error()) return made.error();
  auto next = std::make_shared<producer>();
  next->end = std::move(*made);
  next->commits.reset(
      rd_kafka_topic_new(next->end.get(), options_.commits_topic().c_str(), nullptr));
  warm_up(next->end.get(), next->commits.get(), options_);
  next->reports.reset(rd_kafka_queue_get_main(next->end.get()));
  std::shared_ptr<producer> old;
  {
    const std::lock_guard lock{mutex_};
    old = std::exchange(producer_, std::move(next));
  }
  if (old) rd_kafka_purge(old->end.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  return std::nullopt;
}

std::shared_ptr<connection::producer> connection::present() const {
  const std::lock_guard lock{mutex_};
  return producer_;
}

bool connection::produce(std::uint32_t partition, const partition_member::outgoing& what) {
  const auto by = present();
  const std::string_view kind = what.key.empty() ? "lead" : "commit";
  auto* headers = rd_kafka_headers_new(2);
  add_header(headers, kind_header, kind);
  if (!what.source.empty()) add_header(headers, source_header, what.source);
  // clang-format off
  const auto error = rd_kafka_producev(by->end.get(),
      RD_KAFKA_V_RKT(by->commits.get()),
      RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(partition)),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_KEY(what.key.empty() ? nullptr : what.key.data(), what.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(what.record.data()), what.record.size()),
      RD_KAFKA_V_HEADERS(headers),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(what.number)),
      RD_KAFKA_V_END);
  // clang-format on
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  rd_kafka_headers_destroy(headers);
  spdlog::warn("kafka: a record of partition {} was refused: {}", partition,
               rd_kafka_err2str(error));
  return false;
}

std::vector<connection::report> connection::poll_reports(std::chrono::milliseconds wait,
                                                         bool& ended) {
  ended = false;
  const auto by = present();
  std::vector<report> reports;
  auto wait_ms = static_cast<int>(wait.count());
  while (reports.size() < reports_at_once) {
    const event what{rd_kafka_queue_poll(by->reports.get(), wait_ms)};
    if (!what) break;
    wait_ms = 0;
    if (rd_kafka_event_type(what.get()) == RD_KAFKA_EVENT_DR) {
      while (const auto* message = rd_kafka_event_message_next(what.get()))
        reports.push_back(report_of(*message));
    } else if (rd_kafka_event_type(what.get()) == RD_KAFKA_EVENT_ERROR) {
      ended = ended || rd_kafka_event_error(what.get()) == RD_KAFKA_RESP_ERR__FATAL;
      spdlog::log(ended ? spdlog::level::err : spdlog::level::debug, "kafka: {}",
                  rd_kafka_event_error_string(what.get()));
    }
  }
  std::stable_sort(reports.begin(), reports.end(),
                   [](const report& a, const report& b) { return a.partition < b.partition; });
  return reports;
}

void connection::wake_reports() {
  rd_kafka_queue_yield(present()->reports.get());
}

std::optional<journal_error> connection::assign(const std::vector<std::uint64_t>& offsets) {
  const partition_list all{rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
  for (std::size_t i = 0; i < offsets.size(); ++i)
    rd_kafka_topic_partition_list_add(all.get(), options_.commits_topic().c_str(),
                                      static_cast<std::int32_t>(i))
        ->offset = static_cast<std::int64_t>(offsets[i]);
  places_.clear();
  for (const auto each : offsets) places_.push_back({each, {}, false});
  const auto error = rd_kafka_assign(consumer_.get(), all.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  return error_of(error, "reading " + options_.commits_topic());
}

journal_error connection::explain(const rd_kafka_message_t& failed) const {
  const auto name = options_.commits_topic() + " partition " + std::to_string(failed.partition);
  return {journal_errc::data_loss,
          "kafka: " + name + " has not the record that comes next (" +
              rd_kafka_message_errstr(&failed) +
              "): its retention removed it, or the topic was made anew. Keep retention.ms = -1; to "
              "read the topic as it is, give an empty data directory",
          std::nullopt};
}

// The broker that says so may have been stopped and not know yet that it leads no more: in a while
// the partition is assigned anew (it reads no more, and a seek of it does nothing).
std::optional<journal_error> connection::read_again(const rd_kafka_message_t& failed) {
  auto& place = places_.at(static_cast<std::size_t>(failed.partition));
  const auto now = std::chrono::steady_clock::now();
  if (place.end_seen.look(0, 1, now) == short_log::finding::lost) return explain(failed);
  spdlog::warn("kafka: partition {} has nothing at offset {} ({}); reading it again",
               failed.partition, place.next_offset, rd_kafka_message_errstr(&failed));
  place.is_stopped = true;
  restart_at_ = now + restart_after;
  return std::nullopt;
}

void connection::restart_reading() {
  const auto now = std::chrono::steady_clock::now();
  if (now < *restart_at_) return;
  restart_at_.reset();
  for (std::size_t p = 0; p < places_.size(); ++p) {
    if (!places_[p].is_stopped) continue;
    const partition_list one{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(one.get(), options_.commits_topic().c_str(),
                                      static_cast<std::int32_t>(p))
        ->offset = static_cast<std::int64_t>(places_[p].next_offset);
    const error gone{rd_kafka_incremental_unassign(consumer_.get(), one.get())};
    const error refused{rd_kafka_incremental_assign(consumer_.get(), one.get())};
    places_[p].is_stopped = refused != nullptr;
    if (!refused) continue;
    spdlog::warn("kafka: partition {}: {}", p, rd_kafka_error_string(refused.get()));
    restart_at_ = now + restart_after;
  }
}

std::optional<journal_error> connection::poll_record(
    std::chrono::milliseconds wait, bool& found, const std::function<void(const record&)>& use) {
  found = false;
  if (restart_at_) restart_reading();
  const message got{rd_kafka_consumer_poll(consumer_.get(), static_cast<int>(wait.count()))};
  if (!got) return std::nullopt;
  if (got->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      got->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    return read_again(*got);
  if (got->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    spdlog::warn("kafka: reading {}: {}", options_.commits_topic(),
                 rd_kafka_message_errstr(got.get()));
    return std::nullopt;
  }
  found = true;
  auto& place = places_.at(static_cast<std::size_t>(got->partition));
  place = {static_cast<std::uint64_t>(got->offset) + 1, {}, false};
  use({static_cast<std::uint32_t>(got->partition),
       static_cast<std::uint64_t>(got->offset),
       {static_cast<const char*>(got->payload), got->len},
       with_sources_ ? source_of(*got) : std::string{}});
  return std::nullopt;
}

std::vector<std::optional<std::uint64_t>> connection::ends_of(
    const std::vector<std::uint32_t>& partitions, std::chrono::milliseconds wait) {
  const partition_list asked{
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size()))};
  for (const auto each : partitions)
    rd_kafka_topic_partition_list_add(asked.get(), options_.commits_topic().c_str(),
                                      static_cast<std::int32_t>(each))
        ->offset = RD_KAFKA_OFFSET_END;  // as a time: the latest
  std::vector<std::optional<std::uint64_t>> ends(partitions.size());
  const auto error =
      rd_kafka_offsets_for_times(consumer_.get(), asked.get(), static_cast<int>(wait.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__TIMED_OUT) return ends;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const auto& found = asked->elems[i];
    if (found.err == RD_KAFKA_RESP_ERR_NO_ERROR && found.offset >= 0)
      ends[i] = static_cast<std::uint64_t>(found.offset);
  }
  return ends;
}

journal_result<std::uint64_t> connection::end_of(std::uint32_t partition,
                                                 std::chrono::milliseconds wait) {
  std::int64_t low = 0, high = 0;
  const auto error = rd_kafka_query_watermark_offsets(
      consumer_.get(), options_.commits_topic().c_str(), static_cast<std::int32_t>(partition), &low,
      &high, static_cast<int>(wait.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return error_of(error, "end of partition " + std::to_string(partition));
  return static_cast<std::uint64_t>(high);
}

std::uint64_t connection::last_heard_end(std::uint32_t partition) const {
  std::int64_t low = 0, high = 0;
  const auto error =
      rd_kafka_get_watermark_offsets(consumer_.get(), options_.commits_topic().c_str(),
                                     static_cast<std::int32_t>(partition), &low, &high);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR && high > 0 ? static_cast<std::uint64_t>(high) : 0;
}

}  // namespace berth::kafka
