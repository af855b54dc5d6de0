// Copies the embedded journal into the Kafka topics as it grows: the same bodies in new envelopes,
// by the rules of every Berth log (events/core/reader_rule.hpp), so that consumers read a mirror as
// they read a Kafka journal. At least once into the topic, exactly once for who follows the reader
// rule.
//
// A broker that is away delays it and nothing else: lag() grows, commands go on. What was copied is
// known by reading the topic again (each record names its place here in `berth-source`), and by a
// note in state/ that spares most of that reading.
//
// Threads: its own, and kafka_log's. Everything below: any.
#pragma once

#include <memory>
#include <string>

#include "actors/ports/clock.hpp"
#include "infra/kafka/kafka_options.hpp"
#include "infra/rocksdb/embedded_engine.hpp"

namespace berth {

class kafka_mirror {
 public:
  virtual ~kafka_mirror() = default;  // copies nothing more; what is on its way is waited for

  struct status {
    std::uint64_t copied_upto{};  // every commit at or before this offset is in the topic
    std::uint64_t lag_commits{};  // durable here, not in the topic
    bool connected{};
    std::string trouble;  // why it does not get on; empty if it does
  };
  virtual status now() const = 0;
};

// Begins at once, connects when it can. `server` names this data directory for good: a topic that
// is the mirror of another one is not written to. `from` and `time` outlive it.
std::unique_ptr<kafka_mirror> start_mirror(const kafka_options& options, const std::string& server,
                                           embedded_engine& from, const clock& time);

}  // namespace berth
