#include "infra/kafka/kafka_engine.hpp"

#include <spdlog/spdlog.h>

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"
#include "events/core/partition.hpp"
#include "infra/kafka/kafka_topics.hpp"
#include "infra/memory/followers.hpp"
#include "infra/rocksdb/replica.hpp"

namespace berth {
namespace {

// Reads come from the replica, appends go to the log.
class kafka_journal : public journal {
 public:
  kafka_journal(replica& kept, followers& woken, std::string tag)
      : kept_{kept}, woken_{woken}, tag_{std::move(tag)} {}
  void append_to(kafka_log& log) { log_ = &log; }

  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener) override {
    BERTH_ASSERT(body.stream.key.find('\0') == std::string::npos);
    return log_->append(partition_of(body.stream, kept_.partitions()), body, ticket,
                        std::move(listener));
  }
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override {
    return kept_.read_stream(stream, after, limit);
  }
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
    return kept_.read(from, limit);
  }
  position head(std::uint32_t partition) const override { return kept_.head(partition); }
  std::uint32_t partitions() const override { return kept_.partitions(); }
  std::uint64_t leadership_of(const stream_id& stream) const override {
    return log_->leadership_of(partition_of(stream, kept_.partitions()));
  }
  std::string cursor_tag() const override { return tag_; }
  std::shared_ptr<void> follow(std::function<void(position)> wake) override {
    return woken_.add(std::move(wake));
  }
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override {
    return kept_.find_command(scope, id);
  }
  journal_result<snapshot> load_snapshot(const stream_id& stream,
                                         std::optional<stream_version> at_most) const override {
    return kept_.load_snapshot(stream, at_most);
  }
  void save_snapshot(const snapshot& taken) override { kept_.save_snapshot(taken); }
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override {
    return kept_.list_streams(after, limit);
  }

 private:
  replica& kept_;
  followers& woken_;
  const std::string tag_;
  kafka_log* log_{};
};

// Of all journals that a client may have a cursor of, this one.
std::string tag_of(const std::string& source) {
  constexpr std::size_t tag_bytes = 5;
  const auto hash = sha256({source});
  std::array<std::uint8_t, 16> bits{};
  std::copy_n(hash.begin(), tag_bytes, bits.begin());
  return "k" + base32(bits).substr(0, tag_bytes * 8 / 5);
}

class opened_kafka : public kafka_engine, private kafka_log::sink {
 public:
  opened_kafka(const kafka_options& options, const embedded_options& storage,
               std::unique_ptr<replica> kept, const std::string& source, leadership_news news)
      : kept_{std::move(kept)},
        journal_{*kept_, followers_, tag_of(source)},
        log_{options,
             {*this, *storage.time,
              [this](const stream_id& stream) { return kept_->last_version(stream); }, false,
              storage.on_fatal, std::move(news)}} {
    journal_.append_to(log_);
  }
  ~opened_kafka() override { log_.stop(); }

  std::optional<journal_error> start() { return log_.start(); }

  berth::journal& journal() override { return journal_; }
  view_store& views() override { return kept_->views(); }
  note_store& notes() override { return kept_->notes(); }
  kafka_log& log() override { return log_; }
  memory_use memory() const override { return kept_->memory(); }

 private:
  partition_state state(std::uint32_t partition) const override { return kept_->state(partition); }
  std::optional<journal_error> keep(const partition_state& at,
                                    std::span<const applied_commit> applied) override {
    std::vector<replica::row> rows;
    rows.reserve(applied.size());
    for (const auto& each : applied) rows.push_back({&each.happened, each.record});
    return kept_->apply(at, rows);
  }
  void moved(position head) override { followers_.wake(head); }

  followers followers_;
  std::unique_ptr<replica> kept_;
  kafka_journal journal_;
  kafka_log log_;
};

}  // namespace

journal_result<std::unique_ptr<kafka_engine>> open_kafka(const kafka_options& options,
                                                         const embedded_options& asked,
                                                         leadership_news news) {
  const auto storage = with_clock(asked);
  const auto facts = prepare_topics(options);
  if (facts.has_error()) return facts.error();
  for (const auto& doubt : doubts_about(*facts, options)) spdlog::warn("kafka: {}", doubt);
  const auto source = facts->cluster + "/" + options.commits_topic();
  auto kept = open_replica({storage, options.partitions, source});
  if (kept.has_error()) return kept.error();
  auto engine =
      std::make_unique<opened_kafka>(options, storage, std::move(*kept), source, std::move(news));
  if (auto failed = engine->start()) return *failed;
  return std::unique_ptr<kafka_engine>{std::move(engine)};
}

}  // namespace berth
