// The journal from one engine to the other, verified, while no server has the directory. Resumable:
// what was copied is known by the copy itself. A server that mirrors into the topic until the last
// moment has left next to nothing to do.
#pragma once

#include <string>

#include "infra/kafka/kafka_options.hpp"
#include "infra/rocksdb/embedded_options.hpp"

namespace berth::replay {

// DIR/log into the topic, then DIR/replica from it; compares every stream's hash of both, and puts
// log/, state/ and head aside as DIR/embedded. Afterwards: engine = "kafka".
int to_kafka(const embedded_options& engine, const kafka_options& kafka, bool as_json);
// The topic (by DIR/replica, read to its end) into a new DIR/log; compares, and puts the replica
// aside. Nobody may write to the topic meanwhile. Afterwards: engine = "embedded".
int from_kafka(const embedded_options& engine, const kafka_options& kafka, bool as_json);

}  // namespace berth::replay
