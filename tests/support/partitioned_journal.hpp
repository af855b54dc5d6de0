// A journal of several partitions, each a memory journal that makes commits durable at once: what
// one of Kafka is to its readers. With one partition it is as a memory journal. Any thread.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "events/core/invariant.hpp"
#include "events/core/partition.hpp"
#include "infra/memory/memory_journal.hpp"

namespace berth::testing {

class partitioned_journal : public journal {
 public:
  explicit partitioned_journal(const clock& time, std::uint32_t partitions = 1) {
    BERTH_ASSERT(partitions > 0);
    for (std::uint32_t i = 0; i < partitions; ++i)
      parts_.push_back(std::make_unique<memory_journal>(time, memory_journal::mode::automatic,
                                                        journal_limits{}, i));
  }

  memory_journal& part(std::uint32_t partition) { return *parts_.at(partition); }
  memory_journal& part_of(const stream_id& stream) const {
    return *parts_[partition_of(stream, partitions())];
  }

  std::optional<journal_error> append(const commit_body& body, std::uint64_t ticket,
                                      std::shared_ptr<append_listener> listener) override {
    return part_of(body.stream).append(body, ticket, std::move(listener));
  }
  journal_result<std::vector<commit>> read_stream(const stream_id& stream, stream_version after,
                                                  std::size_t limit) const override {
    return part_of(stream).read_stream(stream, after, limit);
  }
  journal_result<std::vector<commit>> read(position from, std::size_t limit) const override {
    BERTH_ASSERT(from.partition < partitions());
    return parts_[from.partition]->read(from, limit);
  }
  position head(std::uint32_t partition = 0) const override {
    BERTH_ASSERT(partition < partitions());
    return parts_[partition]->head(partition);
  }
  std::uint32_t partitions() const override { return static_cast<std::uint32_t>(parts_.size()); }
  std::shared_ptr<void> follow(std::function<void(position head)> wake) override {
    auto all = std::make_shared<std::vector<std::shared_ptr<void>>>();
    for (auto& each : parts_) all->push_back(each->follow(wake));
    return all;
  }
  std::optional<recorded_command> find_command(const account_id& scope,
                                               const command_id& id) const override {
    for (const auto& each : parts_)
      if (auto found = each->find_command(scope, id)) return found;
    return std::nullopt;
  }
  journal_result<snapshot> load_snapshot(
      const stream_id& stream, std::optional<stream_version> at_most = {}) const override {
    return part_of(stream).load_snapshot(stream, at_most);
  }
  void save_snapshot(const snapshot& taken) override { part_of(taken.stream).save_snapshot(taken); }
  journal_result<std::vector<stream_id>> list_streams(const std::optional<stream_id>& after,
                                                      std::size_t limit) const override {
    std::vector<stream_id> all;
    for (const auto& each : parts_) {
      auto some = each->list_streams(after, limit);
      if (!some) return some.error();
      all.insert(all.end(), some->begin(), some->end());
    }
    std::sort(all.begin(), all.end(),
              [](const stream_id& a, const stream_id& b) { return a.text() < b.text(); });
    if (all.size() > limit) all.resize(limit);
    return all;
  }

 private:
  std::vector<std::unique_ptr<memory_journal>> parts_;
};

}  // namespace berth::testing
