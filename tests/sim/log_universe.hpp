// Several nodes over one partition of a simulated Kafka topic: the proof of the reader rule and of
// the acknowledgement rule (events/core/reader_rule.hpp, infra/kafka/partition_member.hpp). The
// topic keeps what lands in it; everything else misbehaves: records land late, twice, after their
// failure was reported or never; reports are lost, late, out of order or without an offset; nodes
// are paused, killed, lose what they had not synced, and claim leadership whenever they please, two
// at once.
//
// The checker has a reader of its own, written apart from the product's, so that a bug in the rule
// is not its own measure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infra/kafka/partition_member.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/seeded_random.hpp"

namespace berth::sim {

struct log_universe_stats {
  std::uint64_t acknowledged{};
  std::uint64_t unknown{};
  std::uint64_t leads{};    // taken
  std::uint64_t skipped{};  // records that do not count
};

class log_universe {
 public:
  explicit log_universe(std::uint64_t seed);
  ~log_universe();
  // What was broken, or nothing.
  std::optional<std::string> run();
  const log_universe_stats& stats() const { return stats_; }

 private:
  struct node;
  class answers;
  struct acknowledged {
    std::uint64_t command{};
    position at;
    std::size_t by{};
  };
  // What a reader of the whole topic may apply.
  struct truth {
    std::vector<std::uint64_t> commands;  // by sequence - 1
    std::uint64_t leads{};
    std::uint64_t skipped{};
  };

  void step();
  void start(node& of, const partition_state& at);
  void kill(node& of);
  void client(node& of);
  void land(node& of);
  void land_late();
  void report(node& of);
  void fetch(node& of, std::size_t records);
  void claim(node& of);
  void after(node& of);
  std::size_t put(const std::string& record);
  void broken(const std::string& what);
  void settle();
  truth read_all() const;
  void check();

  testing::seeded_random random_;
  testing::manual_clock clock_;
  std::vector<std::string> topic_;
  std::vector<std::unique_ptr<node>> nodes_;
  std::vector<std::string> late_;  // on their way, whatever their sender believes
  std::vector<acknowledged> acknowledged_;
  std::map<std::uint64_t, std::size_t> led_by_;  // epoch -> node
  std::uint64_t next_command_{1};
  std::optional<std::string> broken_;
  log_universe_stats stats_;
};

}  // namespace berth::sim
