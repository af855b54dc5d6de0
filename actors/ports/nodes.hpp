// The nodes of a cluster, as one node's kernel sees them: several servers on one journal, each of
// which leads some of its partitions (events/core/partition.hpp). A server alone has none of this.
//
// Rules
//  N1  What an environment or a terminal wants of the world is done on the machine its stream is at
//      home on, by that node, while it leads the stream. Others that lead it meanwhile (the node is
//      away) record what they are asked and do nothing.
//  N2  A command goes to whoever leads its stream; one that reaches another is refused not_led
//      (events/core/rejection.hpp) and changed nothing.
// Threads: any.
#pragma once

#include <cstdint>
#include <memory>

#include "events/core/ids.hpp"
#include "events/core/rejection.hpp"

namespace berth {

class kernel;

class nodes {
 public:
  virtual ~nodes() = default;
  virtual bool at_home(const stream_id& stream) const = 0;
  // Where a new environment should live: the home of the node that has the least to do. unavailable
  // if no node takes any.
  virtual outcome<std::uint32_t> place() = 0;
  // Every stream, whoever leads it.
  virtual kernel& everywhere() = 0;
};

// How to reach the other nodes.
class peers {
 public:
  virtual ~peers() = default;
  // The kernel of the node that should lead the stream, if it is another one; for each further try
  // (1, 2 …) the next that can be reached, for who should lead may not do so yet. Nothing if there
  // is none.
  virtual std::shared_ptr<kernel> leader_of(const stream_id& stream, std::size_t tried) = 0;
};

}  // namespace berth
