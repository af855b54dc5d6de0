// The compacted topic `<prefix>.state`: the latest state of every environment and session, so that
// a consumer need not fold. Key: the stream's name. Value: the FlatBuffer `State` of the
// aggregate's schema, as the catalog view has it; none (a tombstone) once an environment is deleted
// or a session closed. Headers: `berth-version`, the stream's version it is the state at, in
// decimal.
//
// It follows the views, never the actors, so it is as late as they are; a state may come twice, an
// older one never after a newer one. Threads: its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "events/core/journal.hpp"
#include "infra/kafka/kafka_options.hpp"
#include "infra/rocksdb/note_store.hpp"
#include "projections/view_store.hpp"

namespace berth {

class state_topic {
 public:
  virtual ~state_topic() = default;
  virtual std::uint64_t published() const = 0;  // states sent and acknowledged by this process
};

struct state_source {
  journal& log;
  const view_store& views;
  note_store& notes;  // where it remembers how far it was
  // Whether this node publishes for a partition: its leader does. Empty: for all.
  std::function<bool(std::uint32_t partition)> publishes;
};
// Begins at once, connects when it can. What `from` names outlives it.
std::unique_ptr<state_topic> start_state_topic(const kafka_options& options, state_source from);

}  // namespace berth
