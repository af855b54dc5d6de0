// Which partition of a journal a stream belongs to. Pure; any thread.
#pragma once

#include <cstdint>

#include "events/core/ids.hpp"

namespace berth {

// CRC-32C of the stream's name, modulo the number of partitions. Written down in every log of
// several partitions: it never changes, and neither does a log's number of partitions.
std::uint32_t partition_of(const stream_id& stream, std::uint32_t partitions);

}  // namespace berth
