#include "tools/replay/stream_hashes.hpp"

#include <algorithm>
#include <mutex>
#include <thread>

#include "events/core/checksum.hpp"
#include "infra/kafka/kafka_log.hpp"
#include "infra/telemetry/system_clock.hpp"

namespace berth::replay {
namespace {

constexpr std::size_t commits_at_once = 2'000;

std::string_view text_of(const chain_hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

void add(stream_hashes& to, const commit& next) {
  auto& hash = to.of[next.body.stream];
  hash = sha256({text_of(hash), encode_body(next.body)});
  to.events += next.body.events.size();
  ++to.commits;
}

// Nobody appends and nothing is led, so one thread of the log calls it.
class hashing_sink : public kafka_log::sink {
 public:
  partition_state state(std::uint32_t partition) const override {
    partition_state before_everything;
    before_everything.partition = partition;
    return before_everything;
  }
  std::optional<journal_error> keep(const partition_state&,
                                    std::span<const applied_commit> applied) override {
    for (const auto& each : applied) add(hashes, each.happened);
    return std::nullopt;
  }
  void moved(position) override {}

  stream_hashes hashes;
};

}  // namespace

journal_result<stream_hashes> hash_streams(const journal& from) {
  stream_hashes all;
  for (std::uint32_t partition = 0; partition < from.partitions(); ++partition) {
    for (position next{partition, 1};;) {
      const auto commits = from.read(next, commits_at_once);
      if (commits.has_error()) return commits.error();
      if (commits->empty()) break;
      for (const auto& each : *commits) add(all, each);
      next.offset = commits->back().at().offset + 1;
    }
  }
  return all;
}

journal_result<stream_hashes> hash_topic(const kafka_options& kafka,
                                         const std::function<void(std::uint64_t)>& progress) {
  constexpr std::chrono::milliseconds look_every{100};
  const system_clock clock;
  hashing_sink sink;
  std::mutex mutex;
  std::optional<journal_error> fatal;
  {
    kafka_log log{kafka, {sink, clock, {}, false, [&](const journal_error& why) {
                            const std::lock_guard lock{mutex};
                            fatal = why;
                          }}};
    if (auto failed = log.start()) return *failed;
    for (std::uint32_t p = 0; p < log.partitions(); ++p) {
      const auto end = log.end_of(p);
      if (end.has_error()) return end.error();
      while (log.stats(p).next_offset < *end) {
        progress(log.commits_total());
        std::this_thread::sleep_for(look_every);
        const std::lock_guard lock{mutex};
        if (fatal) return *fatal;
      }
    }
  }
  return std::move(sink.hashes);
}

std::vector<std::string> differences(const stream_hashes& a, const stream_hashes& b,
                                     std::size_t limit) {
  std::vector<std::string> names;
  const auto compare = [&](const stream_hashes& one, const stream_hashes& other,
                           bool missing_only) {
    for (const auto& [stream, hash] : one.of) {
      if (names.size() >= limit) return;
      const auto found = other.of.find(stream);
      const bool missing = found == other.of.end();
      if (missing || (!missing_only && found->second != hash)) names.push_back(stream.text());
    }
  };
  compare(a, b, false);
  compare(b, a, true);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace berth::replay
