#include "events/core/partition.hpp"

#include "events/core/checksum.hpp"
#include "events/core/invariant.hpp"

namespace berth {

std::uint32_t partition_of(const stream_id& stream, std::uint32_t partitions) {
  BERTH_ASSERT(partitions > 0);
  return partitions == 1 ? 0 : crc32c(stream.text()) % partitions;
}

}  // namespace berth
